"""The Nushell module: its six commands, what they send, and how a refusal looks."""

import json
from collections.abc import Iterator

import pytest

from tests.support.nushell import PROVISIONING, needs_nushell, nu
from tests.unit.client.standin import Reply, Standin, running, silence
from tests.unit.client.test_batches import BASE, COMPLETED, ONE, RUNNING, refused, told

pytestmark = [pytest.mark.nushell, needs_nushell]


@pytest.fixture
def service() -> Iterator[Standin]:
    """A server that answers from a script."""
    with running() as standin:
        yield standin


def test_submit_sends_the_text_of_the_file(service: Standin) -> None:
    service.answers("POST", f"{BASE}/submit", told({"workflow_id": "b-1", "status": "Pending"}, 202))

    result = nu("batch submit workflows/example_batch.ncl --key k-1 | get workflow_id", service.url, "wlk_1")

    assert (result.returncode, result.stdout.strip()) == (0, "b-1"), result.stderr
    asked = service.asked[0]
    assert asked.headers["content-type"].startswith("text/x-nickel")
    assert (asked.headers["idempotency-key"], asked.headers["authorization"]) == ("k-1", "Bearer wlk_1")
    assert asked.body == (PROVISIONING / "workflows" / "example_batch.ncl").read_text()


def test_list_status_and_stats_are_tables(service: Standin) -> None:
    service.answers("GET", BASE, told([RUNNING], pagination={"total": 1}))
    service.answers("GET", ONE, told({**RUNNING, "operations": [{"id": "web"}]}))
    service.answers("GET", f"{BASE}/stats", told({"total": 7}))

    listed = nu("batch list --status Running | to json --raw", service.url)

    assert json.loads(listed.stdout) == [RUNNING], listed.stderr
    assert service.asked[0].query == {"status": "Running", "limit": "50", "offset": "0"}
    assert nu("(batch status b-1).operations.0.id", service.url).stdout.strip() == "web"
    assert nu("batch stats | get total", service.url).stdout.strip() == "7"


def test_monitor_waits_for_a_service_that_is_restarted(service: Standin) -> None:
    away = [silence(), refused(503, "UNAVAILABLE")]
    service.answers("GET", f"{ONE}/progress", told(RUNNING), *away, told(COMPLETED))

    result = nu("batch monitor b-1 --every 10ms | get status", service.url)

    assert result.stdout.endswith("Completed\n"), result
    assert "Running  50" in result.stdout


def test_rollback_sends_what_was_asked_for_alone(service: Standin) -> None:
    service.answers("POST", f"{ONE}/rollback", told({"rollback_id": "b-2"}, 202), told({"rollback_id": None}))

    assert nu("batch rollback b-1 | get rollback_id", service.url).stdout.strip() == "b-2"
    nu("batch rollback b-1 --to cp-0001 --only [web db] --force", service.url)

    assert service.asked[0].body == {}
    assert service.asked[1].body == {"checkpoint_id": "cp-0001", "operations": ["web", "db"], "force": True}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (refused(409, "INVALID_STATE_TRANSITION"), "No batch. [INVALID_STATE_TRANSITION]"),
        (Reply(status=502, content=b"<html>"), "status 502"),
    ],
)
def test_a_refusal_is_an_error_with_the_services_words(service: Standin, reply: Reply, said: str) -> None:
    service.answers("POST", f"{ONE}/rollback", reply)

    result = nu("batch rollback b-1", service.url)

    assert result.returncode == 1
    assert said in result.stderr
