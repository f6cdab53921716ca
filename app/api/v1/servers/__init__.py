"""Bare-metal servers."""
