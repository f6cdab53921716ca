"""Pools of servers."""
