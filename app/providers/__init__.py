"""Capabilities: what the steps may do to the outside world, one Protocol per folder, one driver per module."""
