"""Runs, their steps, events, timers, locks, hooks and signals in SQL."""
