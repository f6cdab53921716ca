"""The resources below /v1, one folder a family."""
