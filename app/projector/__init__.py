"""The projector: watches management clusters, keeps what it sees, and starts `sync.*` runs."""
