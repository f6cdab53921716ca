"""The apps API, on both databases."""

from tests.support.apps import apps_api, apps_server

__all__ = ["apps_api", "apps_server"]
