"""The door of apps, on both databases."""

from tests.support.apps import apps_door, apps_server

__all__ = ["apps_door", "apps_server"]
