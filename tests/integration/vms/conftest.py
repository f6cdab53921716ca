"""The scene of each test, on both databases; the doctor looks at everything when it has ended."""

from tests.integration.clusters.conftest import database_of, db, scene, tenant

__all__ = ["database_of", "db", "scene", "tenant"]
