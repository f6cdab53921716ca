"""Writes one event of an app: reads the rows it concerns, decides, and writes, all in one transaction.

1. Lock the run's row. Every writer locks the run first and the entity second, so nothing deadlocks and slots
   are dense.
2. Read the entity, the hook that holds the token, and the types of event logged for the correlation id.
3. Decide (`app.domain.apps.decide`), write rows, append events at the next slots.
4. Report the events that others wrote since the client last read, if it sent how many events it knows.
"""

from dataclasses import dataclass
from typing import Any

from app.domain.apps.decide import Decision, Known, decide
from app.domain.apps.incoming import Incoming
from app.domain.apps.refusal import Refused
from app.domain.apps.slots import has_slots
from app.domain.apps.words import AppEventType
from app.record.apps import entities, event_statement, log
from app.record.apps.scope import Scope
from app.record.session import Database, Tx
from app.services.apps import announcing

Row = dict[str, Any]
NO_QUOTA = 2**31 - 1
ENTITY_OF = {"step_": "step", "hook_": "hook", "wait_": "wait", "attr_": "run", "run_": "run"}


class RunAppeared(Exception):
    """Another writer created the run between our read and our insert: everything is decided again."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """The result of an event: the rows that the response shows, None where there is no such row."""

    run: Row  # Complete if the response shows it, else at least ``id``, ``events`` and ``spec_version``.
    event: Row | None
    kind: str  # The entity that the response shows: run, step, hook, wait or none.
    entity: Row | None
    # The events that the writer had not seen, at most one more than `most_reported`, which shows that there
    # are more; None if the writer did not ask.
    reported: list[Row] | None = None
    most_reported: int = log.MOST_REPORTED


def write(
    db: Database, app: str, event: Incoming, *, known_events: int | None = None, quota: int | None = None
) -> Written:
    """Write one event; raises `Refused` when it has no effect.

    ``known_events`` is how many events the writer has read; ``quota`` how many a run may have.
    """
    # On PostgreSQL one statement writes nearly every event. It writes nothing when its assumptions do not
    # hold; the slow path below then decides from the rows. Both give the same results.
    usual = _in_one_statement(db, app, event, known_events, quota)
    if usual is not None:
        return usual
    for attempt in ("first", "again"):
        try:
            return db.write(
                lambda tx: write_in(tx, Scope.of(tx, app), event, known_events=known_events, quota=quota)
            )
        except RunAppeared:
            if attempt == "again":
                raise Refused(503, f"Run {event.run_id} is being created; try again") from None
    raise AssertionError("unreachable")


def _in_one_statement(
    db: Database, app: str, event: Incoming, known_events: int | None, quota: int | None
) -> Written | None:
    """The same by one statement on PostgreSQL; None when its assumptions do not hold."""
    if db.dialect != "postgresql":
        return None
    scope = Scope(tenant=db.tenant, app=app)
    done = event_statement.write(db, scope, event, NO_QUOTA if quota is None else quota)
    if done is None:
        return None
    reported = None
    if _is_behind(done.run, done.event, known_events):
        # This transaction may see even newer events. It reads only slots below our own, which do not change
        # any more.
        reported = db.read(lambda tx: _reported(tx, scope, done.run, done.event, known_events))
    return Written(run=done.run, event=done.event, kind=done.kind, entity=done.entity, reported=reported)


def write_in(
    tx: Tx, scope: Scope, event: Incoming, *, known_events: int | None = None, quota: int | None = None
) -> Written:
    """Write one event within a transaction."""
    run = log.locked_run(tx, scope, event.run_id)
    if (
        quota is not None
        and run is not None
        and event.type != AppEventType.RUN_CREATED
        and run["events"] >= quota
    ):
        raise Refused(429, "Event quota exceeded for this run")
    tx.read_clock()  # Read after the wait for the lock, so that times grow in the order of the writers.
    decided = decide(event, _known(tx, scope, event, run))
    appended = _carry_out(tx, scope, event, decided)
    shown = _shown(tx, scope, event, decided)
    answer = appended[-1] if appended else _earlier(tx, scope, event, decided)
    # Read again: the response shows the number of events including this one.
    after = log.locked_run(tx, scope, event.run_id)
    assert after is not None
    if decided.ends:
        # In the transaction that ends the run, as all deliveries are (I12).
        announcing.announce(tx, scope, after)
    return Written(
        run=after,
        event=answer,
        kind=decided.of,
        entity=shown,
        reported=_reported(tx, scope, after, answer, known_events),
    )


def _known(tx: Tx, scope: Scope, event: Incoming, run: Row | None) -> Known:
    kind = _kind(event)
    if run is None or event.correlation_id is None:
        return Known(now=tx.now, run=run)
    entity = None
    if kind != "run":
        entity = entities.entity(tx, scope, kind, event.run_id, event.correlation_id)
    token = event.facts["token"] if event.type == AppEventType.HOOK_CREATED else None
    return Known(
        now=tx.now,
        run=run,
        entity=entity,
        holder=entities.holder(tx, scope, token) if token else None,
        logged=log.logged(tx, scope, event.run_id, event.correlation_id),
    )


def _carry_out(tx: Tx, scope: Scope, event: Incoming, decided: Decision) -> list[Row]:
    if decided.run is not None and not entities.write_run(tx, scope, event.run_id, decided.run):
        raise RunAppeared
    appended = log.append(tx, scope, event.run_id, decided.events)
    if decided.entity is not None:
        assert event.correlation_id is not None
        entities.write_entity(
            tx,
            scope,
            _kind(event),
            event.run_id,
            event.correlation_id,
            decided.entity,
            slot=appended[-1]["seq"],
        )
    if decided.ends:
        entities.end_hooks_and_waits(tx, scope, event.run_id)
    return appended


def _kind(event: Incoming) -> str:
    return next(kind for prefix, kind in ENTITY_OF.items() if event.type.startswith(prefix))


def _shown(tx: Tx, scope: Scope, event: Incoming, decided: Decision) -> Row | None:
    if decided.of in ("run", "none") or event.correlation_id is None:
        return None
    return entities.entity(tx, scope, decided.of, event.run_id, event.correlation_id)


def _earlier(tx: Tx, scope: Scope, event: Incoming, decided: Decision) -> Row | None:
    if decided.earlier is None:
        return None
    of = None if decided.earlier == AppEventType.RUN_CREATED else event.correlation_id
    return log.latest(tx, scope, event.run_id, decided.earlier, of)


def _reported(
    tx: Tx, scope: Scope, run: Row, answer: Row | None, known_events: int | None
) -> list[Row] | None:
    """The events between those that the writer knew and the one that the response shows."""
    if known_events is None or answer is None or not _is_behind(run, answer, known_events):
        return None
    return log.between(tx, scope, run["id"], known_events + 1, answer["seq"] - 1)


def _is_behind(run: Row, answer: Row, known_events: int | None) -> bool:
    if known_events is None or not has_slots(run["spec_version"]):
        return False
    return bool(answer["seq"] > known_events + 1)
