"""What keeps runs moving: transitions, each a function under the run's lock, and who publishes for them."""
