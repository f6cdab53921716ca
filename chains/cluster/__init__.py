"""Workflows on Kubernetes clusters."""
