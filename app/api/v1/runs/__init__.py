"""Runs: start, follow, cancel, retry, operate."""
