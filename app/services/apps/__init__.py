"""The use cases of the apps API, one module for each."""
