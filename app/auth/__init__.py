"""Who may do what, and what nobody may read: API keys, tokens, sealed secrets, redaction."""
