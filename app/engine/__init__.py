"""What keeps runs moving: every transition as one function under the run's lock, and what publishes for them."""
