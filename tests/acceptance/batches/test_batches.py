"""Batches through the public API: made, watched, undone, repeated and restarted."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import httpx

from tests.acceptance.batches.conftest import Site
from windlass import Batch

BASE = "/v1/workflows/batch"
LONG_S = 120.0


def ended(site: Site, batch_id: str | None) -> Batch:
    """A batch once it has ended."""
    return site.client.batches.wait(str(batch_id), timeout_s=LONG_S)


def test_a_batch_is_planned_made_and_undone(site: Site) -> None:
    back = site.operation("back", dependencies=["front"])
    definition = site.batch(site.operation("front", site.server("a"), site.server("b")), back)
    planned = site.client.batches.plan(definition)
    assert planned.plan is not None and planned.plan["rollback_order"] == ["back", "front"]
    assert site.client.batches.list(name=site.prefix).total == 0

    batch = ended(site, site.client.batches.submit(definition).workflow_id)
    assert batch.status == "Completed", batch.raw
    assert [item.status for one in batch.operations for item in one.items] == ["Completed"] * 3

    undone = site.client.batches.rollback(batch.workflow_id)
    assert [one["id"] for one in undone.operations] == ["back", "front"]
    assert ended(site, batch.workflow_id).status == "RolledBack"
    after = site.client.batches.plan(definition).plan
    assert after is not None and after["operations"] == planned.plan["operations"]


def test_a_failure_undoes_the_batch_and_a_retry_is_a_new_one(site: Site) -> None:
    fails = site.operation("fails", site.server("bad", fail_attempts=2), dependencies=["stands"])
    definition = site.batch(site.operation("stands"), fails | {"on_failure": "fail"})

    failed = ended(site, site.client.batches.submit(definition).workflow_id)
    assert {one.id: one.status for one in failed.operations} == {"stands": "Completed", "fails": "Failed"}

    again = ended(site, site.client.batches.retry(failed.workflow_id))
    assert (again.status, again.retry_of) == ("Completed", failed.workflow_id), again.raw


def test_ten_submits_with_one_key_are_one_batch(site: Site) -> None:
    body = {"batch_workflow": site.batch(site.operation("one"))}
    with_member = {**body, "idempotency_key": site.prefix}
    header = {"Idempotency-Key": site.prefix}

    with ThreadPoolExecutor(10) as pool, httpx.Client(base_url=site.api, timeout=60) as http:
        asked = [
            pool.submit(http.post, f"{BASE}/submit", json=with_member)
            if number % 2
            else pool.submit(http.post, f"{BASE}/submit", json=body, headers=header)
            for number in range(10)
        ]
        answers = [one.result() for one in asked]
        other = http.post(
            f"{BASE}/submit", json={"batch_workflow": site.batch(site.operation("two"))}, headers=header
        )

    assert {answer.status_code for answer in answers} == {202}, answers[0].text
    assert len({answer.json()["data"]["workflow_id"] for answer in answers}) == 1
    assert (other.status_code, other.json()["code"]) == (409, "CONFLICT")
    ended(site, answers[0].json()["data"]["workflow_id"])


def events(answer: httpx.Response) -> Iterator[tuple[str, float]]:
    """The number and the percentage of each event of a stream."""
    number = ""
    for line in answer.iter_lines():
        if line.startswith("id: "):
            number = line[4:]
        elif line.startswith("data: "):
            yield number, json.loads(line[6:])["percent"]


def test_a_stream_is_taken_up_where_it_broke_off_and_progress_never_falls(site: Site) -> None:
    chain = [site.operation(f"op-{at}", dependencies=[f"op-{at - 1}"] if at else []) for at in range(4)]
    batch_id = site.client.batches.submit(site.batch(*chain)).workflow_id
    headers = {"Accept": "text/event-stream"}
    told: list[tuple[str, float]] = []

    with httpx.Client(base_url=site.api, timeout=LONG_S) as http:
        while not told or told[-1][1] < 100:
            last = {"Last-Event-ID": told[-1][0]} if told else {}
            with http.stream("GET", f"{BASE}/{batch_id}/progress", headers={**headers, **last}) as answer:
                told += islice(events(answer), 2)  # Then the connection breaks off.

    percents = [percent for _, percent in told]
    assert percents == sorted(percents)
    assert ended(site, batch_id).status == "Completed"


def test_what_was_refused_left_nothing(site: Site) -> None:
    cyclic = site.batch(site.operation("a", dependencies=["b"]), site.operation("b", dependencies=["a"]))

    with httpx.Client(base_url=site.api) as http:
        refused = http.post(f"{BASE}/submit", json={"batch_workflow": cyclic})
        too_long = http.post(
            f"{BASE}/submit", content=b" " * 5_000_000, headers={"Content-Type": "application/json"}
        )

    assert (refused.status_code, refused.json()["details"]["cycle"]) == (422, ["a", "b"])
    assert (too_long.status_code, too_long.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert site.client.batches.list(name=site.prefix).total == 0
