"""One set of processes for each stack; the settings are the shipped ones."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.acceptance.code.site import Site, started
from tests.conftest import POSTGRES_REDIS, SQLITE_AT_NIGHT, Databases
from tests.support.servers import new_redis, new_valkey, remove

FLOWS = "tests.acceptance.code.flows"
EXAMPLES = (
    *("approval", "batch_process", "document_approval", "error_handling", "fan_in", "generate_report"),
    *("parent_child", "process_order", "process_user_data", "rate_limited", "track_events", "welcome_mail"),
)


@pytest.fixture(scope="package", params=[SQLITE_AT_NIGHT, POSTGRES_REDIS])
def site(
    request: pytest.FixtureRequest,
    databases: Callable[[str], Databases],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """API and workers on both stacks, with a Redis or Valkey of their own."""
    kind, _, store_kind = request.param.partition("+")
    store = new_redis() if store_kind == "redis" else new_valkey()
    postgres = request.getfixturevalue("postgres") if kind == "postgres" else None
    imports = (FLOWS, *(f"tests.examples.{name}" for name in EXAMPLES))
    with ExitStack() as open_:
        open_.callback(remove, store)
        store.start()
        url = databases(kind).fresh()
        yield open_.enter_context(started(tmp_path_factory.mktemp(kind), url, store, postgres, imports))
