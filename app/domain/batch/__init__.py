"""Batches: operations over several providers, with dependencies; definitions and their graphs."""
