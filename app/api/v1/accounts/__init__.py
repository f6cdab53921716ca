"""Accounts at providers of servers."""
