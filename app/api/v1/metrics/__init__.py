"""Aggregates over ended runs."""
