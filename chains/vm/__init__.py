"""Workflows on virtual machines."""
