"""While Redis or the database is away: what was promised is kept, and nothing is promised that cannot be."""

import time
from typing import Any

import httpx
import pytest

from tests.acceptance.faults.bench import BACK_S, Bench, post
from tests.acceptance.servers.site import PASSWORD, USER
from tests.conftest import POSTGRES_REDIS
from tests.support.servers import until

ACCEPTED_S = 20.0  # An answer that waits for the broker waits until it is started again: for ever.


def registration(bench: Bench) -> dict[str, Any]:
    """An order to register a machine that no run has used."""
    machine = bench.site("ipmi").machine(power="on")
    credential = {"username": USER, "password": PASSWORD}
    return {"protocol": "ipmi", "bmcAddress": machine.address, "bmcCredential": credential}


def test_a_run_is_accepted_at_once_while_the_broker_is_away_and_runs_when_it_is_back(bench: Bench) -> None:
    assert bench.store is not None
    order = registration(bench)
    bench.store.kill()
    began = time.monotonic()
    answer = post(bench, "/v1/servers", order)
    took = time.monotonic() - began
    bench.store.restart_empty()
    assert (answer.status_code, took < ACCEPTED_S) == (202, True)
    assert bench.ended(run_of(answer)).status == "completed"


@pytest.mark.parametrize("bench", [POSTGRES_REDIS], indirect=True)  # SQLite is a file: it is never away.
def test_a_run_is_refused_with_a_time_to_come_back_while_the_database_is_away(bench: Bench) -> None:
    assert bench.postgres is not None
    order = registration(bench)
    bench.postgres.kill()
    try:
        refused = post(bench, "/v1/servers", order)
    finally:
        bench.postgres.start()
    assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (503, True)
    assert "Traceback" not in refused.text
    again = until(lambda: accepted(bench, order), BACK_S)
    assert bench.ended(run_of(again)).status == "completed"


def accepted(bench: Bench, order: dict[str, Any]) -> httpx.Response | None:
    """The answer, once the order was taken."""
    answer = post(bench, "/v1/servers", order)
    return answer if answer.status_code == 202 else None


def run_of(answer: httpx.Response | None) -> str:
    """The run that an answer names."""
    assert answer is not None
    return str(answer.json()["meta"]["workflowId"])
