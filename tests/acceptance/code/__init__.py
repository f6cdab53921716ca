"""Workflows as code on one service for the whole folder."""
