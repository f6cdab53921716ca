"""The steps: what touches the world."""
