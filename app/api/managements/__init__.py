"""Management clusters."""
