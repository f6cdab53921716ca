"""The console: pages for people. It is a client of the API in the same process, and can do no more."""
