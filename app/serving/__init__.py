"""HTTP for every door: granian reads and writes connections, threads run a WSGI application."""
