"""Random graphs end as a reference of few lines computes, and no transaction breaks a rule on the way."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from app.record.batches import graphs
from app.record.tables import step
from tests.integration.batches.rig import Rig, failing, servers

Row = dict[str, Any]
DONE = {"completed"}
STRENGTH = ("continue", "fail", "hold", "rollback")


def random_batch(dice: Random, count: int = 40) -> list[Row]:
    """Operations with edges of all kinds to earlier ones; no policy stops what is to be compared."""
    made: list[Row] = []
    for place in range(count):
        earlier = dice.sample(range(place), min(place, dice.randint(0, 3)))
        needs = [_edge(dice, f"op{other}") for other in sorted(earlier)]
        build = failing if dice.random() < 0.2 else servers
        made.append(build(f"op{place}", needs=needs, on_failure="continue", priority=dice.randint(0, 3)))
    return made


def _edge(dice: Random, id_: str) -> Row:
    kind = dice.choice(["hard", "hard", "soft", "optional"])
    condition = dice.choice([None, None, "success", "failure", "finished"])
    return {"id": id_, "type": kind, **({"condition": condition} if condition else {})}


def reference(operations: list[Row]) -> dict[str, str]:
    """How the operations end: definition order is an order in which they may run."""
    ends: dict[str, tuple[str, bool]] = {}  # Status, and whether it has failed for who asks for failures.
    for one in operations:
        conditions = [_condition(needed) for needed in one["dependencies"]]
        unmet = [
            (condition, ends[needed]) for needed, condition in conditions if not _met(condition, ends[needed])
        ]
        fails = bool(one["server_configs"][0].get("rehearsal"))
        if not unmet:
            ends[one["id"]] = ("failed", True) if fails else ("completed", False)
        else:
            ends[one["id"]] = ("skipped", _failed_before(unmet))
    return {key: status for key, (status, _failed) in ends.items()}


def _condition(needed: Row) -> tuple[str, str]:
    default = "success" if needed["type"] == "hard" else "finished"
    return needed["id"], needed.get("condition", default)


def _met(condition: str, end: tuple[str, bool]) -> bool:
    status, failed = end
    return condition == "finished" or (status == "completed" if condition == "success" else failed)


def _failed_before(unmet: list[tuple[str, tuple[str, bool]]]) -> bool:
    return any(condition == "success" and failed for condition, (_status, failed) in unmet)


def watch(rig: Rig, batch: str, operations: list[Row], limit: int) -> Callable[[], None]:
    """A check of what holds after each commit: the limit, and that nothing began before what it needs."""
    needs = {one["id"]: [_condition(needed) for needed in one["dependencies"]] for one in operations}

    def check() -> None:
        rows = rig.db.read(
            lambda tx: tx.rows(
                select(step.c.key, step.c.status, step.c.attempt, step.c.output).where(
                    step.c.tenant_id == tx.tenant, step.c.run_id == batch, step.c.kind == "child"
                )
            )
        )
        status = {row["key"]: row["status"] for row in rows}
        assert sum(1 for one in status.values() if one == "waiting") <= limit
        for row in rows:
            for needed, condition in needs[row["key"]] if row["attempt"] else ():
                allowed = {"success": DONE, "failure": {"failed", "skipped"}}
                assert status[needed] in allowed.get(condition, {"completed", "failed", "skipped"})

    return check


@pytest.mark.parametrize("seed", range(3))
def test_a_graph_ends_as_the_reference_says(rig: Rig, seed: int) -> None:
    dice = Random(seed)
    operations, limit = random_batch(dice), dice.randint(1, 6)
    batch = rig.submit(*operations, parallel_limit=limit)
    check = watch(rig, batch, operations, limit)

    check()
    while rig.driver.deliver() is not None:
        check()

    expected = reference(operations)
    assert rig.statuses(batch) == expected
    ends = {"completed"} if "failed" not in expected.values() else {"failed"}
    assert rig.driver.status(batch) in ends
    assert rig.strays() == []
    done = [key for key, status in expected.items() if status == "completed"]
    assert rig.servers() == {f"{key}-1" for key in done}
    numbers = rig.db.read(lambda tx: graphs.completed(tx, batch))
    assert len(set(numbers.values())) == len(numbers)
