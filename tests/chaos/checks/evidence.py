"""What is known after a campaign, from four witnesses: the record, the ledger, the client, and the faults."""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.sql.schema import Table

from app.record.runs.event_rows import unpacked
from app.record.runs.metrics import ended_totals
from app.record.session import Database, Tx
from app.record.tables import batch, event, instance, lock, lock_waiter, occurrence, run, schedule, step
from tests.chaos.fault import Injection
from tests.chaos.ledger import Effect
from tests.chaos.shares import Share, given
from tests.chaos.stalls import Stall
from tests.chaos.workload.client import Request
from tests.chaos.workload.machines import TYPE as REBOOTS
from tests.chaos.workload.machines import Reset

Row = Mapping[str, Any]
CHUNK = 5_000


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that must not be."""

    number: str  # Of the invariant, or the target.
    what: str
    run_id: str | None = None
    step: str | None = None

    def __str__(self) -> str:
        where = " ".join(one for one in (self.run_id, self.step) if one)
        return f"{self.number} {where}: {self.what}" if where else f"{self.number}: {self.what}"


@dataclass(kw_only=True)
class Evidence:
    """All of it, in memory."""

    runs: Mapping[str, Row]
    steps: Mapping[str, Sequence[Row]]  # By run, in order.
    events: Mapping[str, Sequence[Row]]  # By run, in order.
    locks: Sequence[Row] = ()
    tickets: Sequence[Row] = ()
    totals: Sequence[Row] = ()
    schedules: Sequence[Row] = ()
    occurrences: Sequence[Row] = ()
    effects: Sequence[Effect] = ()  # In the order they happened.
    read_at: int = sys.maxsize  # When they were read; schedules may start runs until the record is.
    requests: Sequence[Request] = ()
    injections: Sequence[Injection] = ()
    machines: Mapping[str, str] = field(default_factory=dict)  # Server id to machine of the lab.
    resets: Sequence[Reset] = ()  # What the machines have seen.
    stalls: Sequence[Stall] = ()  # When the machine itself stood still.
    shares: Sequence[Share] = ()  # How much of it a process got that wanted to work.
    calm_until: int = 0  # Runs that were created before, in milliseconds since 1970, knew no fault.
    lease_ms: int = 10_000
    poison_limit: int = 3
    marks: Sequence[Row] = ()  # What bodies of code workflows have left, in the order they began.
    redis: Mapping[str, int] = field(default_factory=dict)  # Messages left, by key.
    batches: Sequence[Row] = ()
    instances: Sequence[Row] = ()  # The servers that batches made.
    sandboxes: Mapping[str, str] = field(default_factory=dict)  # Names of local servers, by token.

    @cached_property
    def operations(self) -> dict[str, list[tuple[int, Effect]]]:
        """The effects of each operation, each with its place in the order of all."""
        found: dict[str, list[tuple[int, Effect]]] = defaultdict(list)
        for place, one in enumerate(self.effects):
            found[one.operation].append((place, one))
        return found

    @cached_property
    def frozen(self) -> bool:
        """Whether a worker may have gone on after its lease: a freeze, or a database that was away."""
        return any(one.until is not None or one.scope != "process" for one in self.injections)

    @cached_property
    def outages(self) -> list[tuple[int, int]]:
        """When no recovery was possible: faults of broker, database or all, and stalls of the machine."""
        faults = [(one.at, one.until or one.at) for one in self.injections if one.scope != "process"]
        return sorted([*faults, *((one.at, one.until) for one in self.stalls)])

    def given(self, began: int, ended: int) -> int:
        """The milliseconds in between as a machine of one's own would count them."""
        return given(self.shares, began, ended)

    def effects_of(self, row: Row, effect: str) -> list[tuple[int, Effect]]:
        """The effects of one step, each with its place."""
        operation = f"{row['run_id']}/{row['phase']}/{row['key']}"
        return [(place, one) for place, one in self.operations.get(operation, ()) if one.effect == effect]

    def save(self, path: Path) -> None:
        """Write the record down, a run a line, for the search for the cause of a finding."""
        with path.open("w") as file:
            for run_id, row in self.runs.items():
                line = {
                    "run": row,
                    "steps": self.steps.get(run_id, ()),
                    "events": self.events.get(run_id, ()),
                }
                file.write(json.dumps(line, default=str) + "\n")

    def ours(self) -> Iterator[Row]:
        """The runs of the chaos workload."""
        return (one for one in self.runs.values() if str(one["type"]).startswith("chaos."))

    def reboots(self) -> Iterator[Row]:
        """The runs that were to reboot a machine of the lab."""
        return (one for one in self.runs.values() if one["type"] == REBOOTS)


def collect(db: Database, **others: Any) -> Evidence:
    """Read the record as one moment shows it; ``others`` are what the other witnesses know."""

    def read(tx: Tx) -> Evidence:
        return Evidence(
            runs={row["id"]: row for row in _all(tx, run, "id")},
            steps=_by_run(_all(tx, step, "run_id", "phase", "ordinal")),
            events=_by_run(unpacked(_all(tx, event, "run_id", "seq"))),
            locks=_all(tx, lock, "resource"),
            tickets=_all(tx, lock_waiter, "resource", "ticket"),
            totals=ended_totals(tx),
            schedules=_all(tx, schedule, "id"),
            occurrences=_all(tx, occurrence, "schedule_id", "due_at"),
            batches=_all(tx, batch, "run_id"),
            instances=_all(tx, instance, "id"),
            **others,
        )

    return db.read(read, patience_s=30)


def _all(tx: Tx, table: Table, *order: str) -> list[dict[str, Any]]:
    return tx.rows(select(table).order_by(*(table.c[name] for name in order)))


def _by_run(rows: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["run_id"]].append(row)
    return found
