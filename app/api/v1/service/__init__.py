"""The service as a whole: search, what it is, what is wrong with it."""
