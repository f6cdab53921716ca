"""Batches: the run of a batch, those of its operations, and those that undo it."""
