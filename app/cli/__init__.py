"""The command line for operators: `windlass`, one module per noun."""
