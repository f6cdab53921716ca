"""Code workflows on the engine in this process: the fixtures are those of the engine's own tests."""

from tests.integration.engine.conftest import database_of, db, driver, tenant

__all__ = ["database_of", "db", "driver", "tenant"]
