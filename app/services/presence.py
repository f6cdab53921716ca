"""Which code workflows there are, and which of them a worker serves at the moment.

A worker announces the workflows that it has imported, once, before it serves them. From then on one process
of each pool reports every few seconds what it serves. A run whose version no worker serves shows that.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial

from app.auth.keys import LOCAL
from app.domain.errors import Rejected
from app.engine.process_id import instance
from app.engine.transitions import operator_actions
from app.engine.transitions.journal import Journal, journal
from app.record.runs import code_runs
from app.record.service import definitions, heartbeats
from app.record.session import Tx
from app.services import present
from app.services.beats import keep_saying
from app.services.codeinput import seal_schedules
from app.services.context import AppContext
from windlass.workflow import Definition

Served = frozenset[tuple[str, str]]  # Names with versions.

KIND = "workflows"
BEAT_S = 5.0
LIVE_MS = 20_000  # A worker that has not reported for so long serves nothing.


def announce(world: AppContext, found: Iterable[Definition]) -> None:
    """Store these workflows; runs that were blocked under an earlier source of one are resumed."""
    for one in found:
        if world.db.write(lambda tx, one=one: _announce(tx, world, one)):  # type: ignore[misc]
            _resume(world, one)


def _announce(tx: Tx, world: AppContext, one: Definition) -> bool:
    changed = definitions.announce(tx, one.name, one.version, facts_of(one), one.fingerprint)
    seal_schedules(tx, world, one.name, one.version)
    return changed


def facts_of(one: Definition) -> dict[str, object]:
    """What is kept of a workflow."""
    return {
        "description": one.description,
        "maxEvents": one.max_events,
        "executionTimeoutMs": one.execution_timeout_ms,
        "stepTimeoutMs": one.step_timeout_ms,
        "secretPlaces": one.secret_places,
        "names": one.names,
    }


def served(tx: Tx) -> Served:
    """What somebody serves."""
    live = heartbeats.live(tx, KIND, tx.now - LIVE_MS)
    return frozenset((name, version) for row in live for name, version in row["facts"]["workflows"])


def served_for(tx: Tx, rows: Iterable[Mapping[str, object]]) -> Served | None:
    """What somebody serves, when any of these runs may have to wait for it; else nobody is asked."""
    return served(tx) if any(present.needs_worker(row) for row in rows) else None


def keep_telling(world: AppContext, found: Iterable[Definition]) -> None:
    """Say in a thread of this process, for as long as it lives, what it serves."""
    facts = {"workflows": sorted([one.name, one.version] for one in found)}
    note = partial(heartbeats.note, kind=KIND, instance=instance(), facts=facts)
    keep_saying("presence", lambda: world.db.write(note), BEAT_S)


def _resume(world: AppContext, one: Definition) -> None:
    for run_id in world.db.read(lambda tx: code_runs.diverged(tx, one.name, one.version)):
        with suppress(Rejected):  # Somebody else has moved it meanwhile.
            world.publish(world.db.write(lambda tx, run_id=run_id: _go_on(tx, run_id)).messages)  # type: ignore[misc]


def _go_on(tx: Tx, run_id: str) -> Journal:
    with journal(tx, run_id) as j:
        operator_actions.act(
            j, "resume", LOCAL.actor, reason="a worker has announced another source of its workflow"
        )
    return j
