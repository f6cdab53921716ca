"""Batches over HTTP: ``{success, data}``, and ``{success: false, error, code}`` for every refusal."""
