"""Views that people saved."""
