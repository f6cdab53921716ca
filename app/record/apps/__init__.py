"""What apps write and read: every question is asked within a scope, and finds nothing outside of it."""
