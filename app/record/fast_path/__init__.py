"""The statements of the hot path: one transition is one statement."""
