"""The catalogue: every workflow type is one module whose path is its name."""
