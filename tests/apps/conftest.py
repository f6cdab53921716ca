"""Apps of real SDKs, and the service that keeps their runs."""

from tests.support.devkit import app, apps_api

__all__ = ["app", "apps_api"]
