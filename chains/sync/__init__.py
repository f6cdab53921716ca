"""Bringing the cache up to date with the world."""
