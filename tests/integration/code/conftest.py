"""Code workflows on the engine in this process: the fixtures are those of the engine's own tests."""

import pytest

from tests.integration.code import flows
from tests.integration.engine.conftest import database_of, db, driver, tenant

__all__ = ["database_of", "db", "driver", "tenant"]


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    """No body has run yet."""
    flows.reset()
