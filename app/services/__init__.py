"""Use cases: what the doors call. Each loads, asks the rules, writes in one transaction, and publishes."""
