"""A request is sent again when that is safe, and only then."""

import socket

import pytest

import windlass
from tests.unit.client.standin import Standin, ok, problem, silence
from windlass import Client, Retries

RUN = {"id": "run_1", "type": "server.inspect", "status": "pending"}
RUNS, ONE = "/v1/workflows/runs", "/v1/workflows/runs/run_1"


def keys(service: Standin) -> list[str]:
    """The Idempotency-Keys that arrived."""
    return [asked.headers["idempotency-key"] for asked in service.asked]


def test_a_read_is_repeated_after_a_lost_connection(service: Standin, client: Client) -> None:
    service.answers("GET", ONE, silence(), silence(), ok(RUN))

    assert client.runs.get("run_1").id == "run_1"
    assert len(service.asked) == 3


def test_a_start_is_repeated_under_one_key(service: Standin, client: Client) -> None:
    service.answers("POST", RUNS, silence(), problem(503, "UNAVAILABLE", "Later."), ok(RUN, 202))

    client.runs.start("server.inspect", {"serverId": "srv_1"})

    assert len(service.asked) == 3
    assert len(set(keys(service))) == 1


def test_two_starts_have_two_keys(service: Standin, client: Client) -> None:
    service.answers("POST", RUNS, ok(RUN, 202))

    client.runs.start("server.inspect")
    client.runs.start("server.inspect")

    assert len(set(keys(service))) == 2


def test_our_own_attempt_in_flight_is_waited_for(service: Standin, client: Client) -> None:
    in_flight = problem(409, "CONFLICT", "Still in flight.", reason="in_flight")
    service.answers("POST", RUNS, silence(), in_flight, ok(RUN, 202))

    assert client.runs.start("server.inspect").id == "run_1"


def test_a_conflict_with_somebody_else_is_not_repeated(service: Standin, client: Client) -> None:
    service.answers("POST", RUNS, problem(409, "CONFLICT", "Locked.", holder={"runId": "run_9"}))

    with pytest.raises(windlass.Conflict) as caught:
        client.runs.start("server.inspect")

    assert caught.value.details["holder"] == {"runId": "run_9"}
    assert len(service.asked) == 1


def test_a_delete_whose_answer_was_lost_is_not_repeated(service: Standin, client: Client) -> None:
    service.answers("DELETE", "/v1/pools/pool_1", silence())

    with pytest.raises(windlass.ConnectionFailed):
        client.pools.delete("pool_1")

    assert len(service.asked) == 1


def test_a_delete_that_was_refused_for_now_is_repeated(service: Standin, client: Client) -> None:
    service.answers("DELETE", "/v1/pools/pool_1", problem(503, "UNAVAILABLE", "Later."), ok(None))

    client.pools.delete("pool_1")

    assert len(service.asked) == 2


def test_attempts_are_bounded(service: Standin) -> None:
    service.answers("GET", ONE, problem(503, "UNAVAILABLE", "Later."))

    with (
        Client(service.url, retries=Retries(limit=2, first_s=0)) as client,
        pytest.raises(windlass.Unavailable),
    ):
        client.runs.get("run_1")

    assert len(service.asked) == 3


def test_a_longer_wait_than_our_patience_is_an_error_at_once(service: Standin, client: Client) -> None:
    service.answers("GET", ONE, problem(429, "RATE_LIMITED", "Too many.", retry_after="3600"))

    with pytest.raises(windlass.RateLimited):
        client.runs.get("run_1")

    assert len(service.asked) == 1


def test_nobody_listening_is_a_connection_that_was_not_sent() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        once_more = Retries(limit=1, first_s=0)
        refused = pytest.raises(windlass.ConnectionFailed, match="cannot be reached")
        with Client(url, retries=once_more) as client, refused as caught:
            client.runs.get("run_1")

    assert caught.value.sent is False


def test_retry_after_is_waited_for_and_a_little_more() -> None:
    pause = Retries(first_s=0.1).pause(0, 2.0)

    assert pause is not None and 2.0 <= pause <= 2.1


@pytest.mark.parametrize("attempt", range(8))
def test_our_own_pauses_grow_to_a_cap(attempt: int) -> None:
    pause = Retries(limit=9, first_s=1.0, cap_s=4.0).pause(attempt, None)

    assert pause is not None and 0 <= pause <= min(4.0, 2.0**attempt)
