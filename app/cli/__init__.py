"""The door for operators: `windlass`, one module per noun."""
