"""Apps of real SDKs, and the service that keeps their runs."""

from tests.support.devkit import app, door

__all__ = ["app", "door"]
