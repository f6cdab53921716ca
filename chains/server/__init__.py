"""Workflows on bare-metal servers."""
