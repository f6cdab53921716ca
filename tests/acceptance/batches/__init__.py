"""Batches on one service for each of both stacks."""
