"""Batches: their graphs, what they were asked for, their checkpoints, and what they made."""
