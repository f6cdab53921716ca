"""Capabilities: the access of steps to external systems. Each folder has a Protocol and its drivers."""
