"""Faults, on one service for the whole folder."""
