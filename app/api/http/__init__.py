"""What every family of resources shares: bodies, errors, headers, paging, schemas."""
