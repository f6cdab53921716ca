"""Hooks that installers and people call."""
