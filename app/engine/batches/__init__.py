"""Batches as runs: accepted, retried and rolled back in one transaction each."""
