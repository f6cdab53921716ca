"""API keys and the sessions that began with them."""
