"""What tests share: servers, databases, drivers, stand-ins."""
