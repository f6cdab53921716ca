"""Clusters, virtual machines and synchronisation on one service for the whole folder."""
