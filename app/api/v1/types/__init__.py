"""The catalogue of workflow types."""
