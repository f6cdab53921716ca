"""Servers, clusters, virtual machines and where they come from, in SQL."""
