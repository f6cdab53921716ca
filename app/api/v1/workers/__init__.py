"""Who works, and what waits for them."""
