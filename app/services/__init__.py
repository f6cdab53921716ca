"""Use cases, called by API and command line. Each reads, decides, writes in one transaction, publishes."""
