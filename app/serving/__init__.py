"""The HTTP server: granian reads and writes connections, threads run a WSGI application."""
