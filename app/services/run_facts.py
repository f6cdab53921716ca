"""Facts of a run that answers show but its own rows do not have: title, holder of its lock, usual times.

facts = of_rows(tx, rows)                    # Of a page of runs, with a few queries for all of them.
present.run_summary(row, steps, now=…, facts=facts[row["id"]])
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from app.domain.usual import blended
from app.record.runs import metrics, run_list
from app.record.session import Tx
from app.services import naming
from app.services.context import AppContext
from chains import catalogue

Row = Mapping[str, Any]
Object = dict[str, object]
Times = Mapping[str, Sequence[int]]  # How long each step took lately, ascending, by key.


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known around one run."""

    resource_name: str | None = None
    title: str | None = None
    held_by: Object | None = None  # Of the lock that it waits for.


NOTHING_KNOWN = Facts()


def of_rows(tx: Tx, rows: Sequence[Row]) -> dict[str, Facts]:
    """What is known around these runs, by id."""
    names = naming.names_of(tx, ((row["resource_type"], row["resource_id"]) for row in rows))
    titled = [row["id"] for row in rows if catalogue.reads_input(row["type"]) and "input" not in row]
    inputs = run_list.inputs_of(tx, titled)
    wanted = {row["id"]: _awaited(row) for row in rows}
    holders = run_list.lock_holders(tx, sorted({one for one in wanted.values() if one}))
    return {
        row["id"]: Facts(
            resource_name=names.get(row["resource_id"] or ""),
            title=catalogue.title_of(row["type"], inputs.get(row["id"]) or row.get("input") or {}),
            held_by=_holder(holders.get(wanted[row["id"]] or ""), names.get(row["resource_id"] or "")),
        )
        for row in rows
    }


def times_of(world: AppContext, type_: str) -> Times:
    """How long the steps of a type took lately; the answer may be a minute old."""
    found: Times = world.db.remembered(f"step times of {type_}", lambda tx: metrics.step_times(tx, type_))
    return found


def expected(times: Times, steps: Sequence[Row]) -> dict[str, float]:
    """How long each of these steps is expected to take: as lately, and as it declares."""
    return {
        step["key"]: blended(catalogue.expected_ms(step["name"]), _mean(took), len(took))
        for step in steps
        if step["phase"] == "forward"
        for took in [times.get(step["key"], ())]
    }


def with_times(steps: Sequence[Object], times: Times) -> list[Object]:
    """Steps as shown, with how long they usually take, and nine of ten times at most."""
    return [{**step, **_times(times.get(str(step["name"]), ()))} for step in steps]


def _times(took: Sequence[int]) -> Object:
    if not took:
        return {}
    return {"usualMs": took[(len(took) - 1) // 2], "p90Ms": took[ceil(0.9 * len(took)) - 1]}


def _mean(took: Sequence[int]) -> float:
    return sum(took) / len(took) if took else 0.0


def _awaited(row: Row) -> str | None:
    waits = row["waiting_on"] or {}
    return str(waits["resource"]) if waits.get("kind") == "lock" and waits.get("resource") else None


def _holder(held: Row | None, name: str | None) -> Object | None:
    if held is None:
        return None
    shown = {"runId": held["run_id"], "type": held["type"], "detail": held["status"], "step": held["step"]}
    return {**shown, "resourceName": name}
