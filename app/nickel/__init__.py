"""Evaluates Nickel programs of strangers: in a sealed child process, within limits."""
