"""Capabilities: what steps may do to the outside world, one Protocol a folder, one driver a module."""
