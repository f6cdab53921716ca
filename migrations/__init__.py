"""Schema migrations, expand and contract only."""
