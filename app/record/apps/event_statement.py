"""Writes one event in one statement of PostgreSQL, under assumptions that nearly always hold.

`USUAL` assumes the rows that an event of each type usually finds: a run that is open, a step that was created
and has not begun. The rules decide from these assumed rows, and the statement writes the decision on the
condition that the real rows agree. If they do not, nothing is written, and the slow path
(`app.services.apps.write`) decides from the real rows.

        m   locks the run's row and takes a slot       (first, as in every other writer: nothing deadlocks)
        s   inserts the step, hook or wait, or changes it if it is as assumed
        e   inserts the event at that slot

Each part sees the database as it was when the statement began, but the newest version of the rows that it
changes. So a statement that has waited for the run's row may miss what the writer before it has just written.
Therefore an entity that is not found rolls the whole statement back; and the end of a run, which changes all
its hooks and waits, is written only by a statement that did not wait.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Table

from app.domain.apps.decide import Decision, Known, decide, text_of
from app.domain.apps.incoming import Incoming
from app.domain.apps.words import WEBHOOK_EVENTS, AppEventType
from app.record.apps.entities import TABLES
from app.record.apps.scope import Scope
from app.record.fast_path.transition import numbered, typed
from app.record.session import NOW, Database, DuplicateKey, TakenBack
from app.record.tables import app_event, app_run, subscription

Row = dict[str, Any]
Columns = tuple[tuple[str, bool], ...]  # Name, and whether it is set to the time of writing.
AT = -(2**62)  # Placeholder for the time of writing, which only the statement knows.
CLOCK = NOW["postgresql"]
EVENT = tuple(column.name for column in app_event.columns)
RUN = tuple(column.name for column in app_run.columns)
COLUMNS = {kind: tuple(table.columns.keys()) for kind, table in TABLES.items()}
OPEN = "app_run.status IN ('pending', 'running')"
CONFLICT = ": nothing is wrong, somebody was quicker and this is taken back "  # Shown in PostgreSQL's log.


@dataclass(frozen=True, kw_only=True, eq=False)
class Usual:
    """The rows that an event of a type is assumed to find, and the SQL conditions that verify it."""

    run: str = "true"  # Condition on the run's row.
    status: str = "running"
    entity: Row | None = None
    holds: str = ""  # Condition on the entity's row, ``o``; empty: there must be no such row.
    without_waiting: bool = False  # Only if the statement did not wait for another writer.


_PENDING = {"status": "pending", "attempt": 1, "started_at": None, "retry_after": None}
_ENDS = Usual(run=OPEN, without_waiting=True)
USUAL = {
    # Every invocation of a workflow sends this event. Only the first one finds the run pending; for the
    # others the slow path appends nothing (chaos: "run_started is not deduplicated").
    AppEventType.RUN_STARTED: Usual(run="app_run.status = 'pending'", status="pending"),
    AppEventType.RUN_COMPLETED: _ENDS,
    AppEventType.RUN_FAILED: _ENDS,
    AppEventType.RUN_CANCELLED: _ENDS,
    AppEventType.STEP_CREATED: Usual(),
    AppEventType.STEP_STARTED: Usual(
        entity=_PENDING,
        holds="o.status = 'pending' AND o.attempt = 1 AND o.started_at IS NULL AND o.retry_after IS NULL",
    ),
    # Two workers may have done the step. The condition is checked twice: before the slot is taken, and on the
    # newest row when it is written. A planted bug of the chaos tests: "a step is completed again".
    AppEventType.STEP_COMPLETED: Usual(entity={"status": "running"}, holds="o.status <> 'completed'"),
    AppEventType.STEP_FAILED: Usual(
        entity={"status": "running"}, holds="o.status NOT IN ('completed', 'failed')"
    ),
    AppEventType.STEP_RETRYING: Usual(entity={"status": "running"}, holds="o.status <> 'completed'"),
    AppEventType.HOOK_CREATED: Usual(run=OPEN),
    AppEventType.HOOK_RECEIVED: Usual(run=OPEN, entity={"status": "pending"}, holds="true"),
    AppEventType.HOOK_DISPOSED: Usual(entity={"status": "pending"}, holds="true"),
    AppEventType.WAIT_CREATED: Usual(run=OPEN),
    AppEventType.WAIT_COMPLETED: Usual(entity={"status": "waiting"}, holds="o.status = 'waiting'"),
}
_BEGINS = Usual()  # For an event that creates its entity, such as a step that is started with its input.


@dataclass(frozen=True, kw_only=True)
class Done:
    """What was written; the run has only ``id``, ``events`` and ``spec_version`` if it is not shown."""

    run: Row
    event: Row
    kind: str
    entity: Row | None


def write(db: Database, scope: Scope, event: Incoming, quota: int) -> Done | None:
    """Write an event; None if the assumptions do not hold, and then nothing is written."""
    usual = _usual(event)
    if usual is None:
        return None
    decided = _decided(event, usual)
    shape, values = _shape(event, decided), _values(scope, event, decided, quota)
    text, names = _statement(event.type, shape, usual)

    def at_once(cursor: Any) -> Any:
        try:
            cursor.execute(text, [values[name] for name in names])
        # DuplicateKey: two writers created the same entity, and neither saw the other's. The slow path reads
        # the existing row.
        except (TakenBack, DuplicateKey):
            return None
        return cursor.fetchone()

    found = db.once(at_once)
    return None if found is None else _done(decided, shape, values, found)


def statement(scope: Scope, event: Incoming) -> tuple[str, tuple[str, ...], Row]:
    """The statement for an event that has one, the names of its values in order, and the values by name."""
    usual = _usual(event)
    assert usual is not None
    decided = _decided(event, usual)
    text, names = _statement(event.type, _shape(event, decided), usual)
    return text, names, _values(scope, event, decided, 2**31 - 1)


def _usual(event: Incoming) -> Usual | None:
    if event.type == AppEventType.STEP_STARTED and event.facts.get("input") is not None:
        return _BEGINS if event.facts.get("stepName") else None
    return _BEGINS if event.type == AppEventType.RUN_CREATED else USUAL.get(event.type)


def _decided(event: Incoming, usual: Usual) -> Decision:
    run = None if event.type == AppEventType.RUN_CREATED else {"status": usual.status}
    return decide(event, Known(now=AT, run=run, entity=usual.entity))


def _columns(write: Any) -> Columns:
    return tuple((name, value is AT) for name, value in write.columns.items()) if write else ()


@dataclass(frozen=True)
class _Shape:
    kind: str
    run: Columns
    entity: Columns
    inserts: bool  # The entity.
    ends: bool


def _shape(event: Incoming, decided: Decision) -> _Shape:
    return _Shape(
        decided.of,
        _columns(decided.run),
        _columns(decided.entity),
        bool(decided.entity and decided.entity.insert),
        decided.ends,
    )


def _values(scope: Scope, event: Incoming, decided: Decision, quota: int) -> Row:
    (said,) = decided.events
    values = {
        **scope.key,
        "run_id": event.run_id,
        "event_type": str(event.type),
        "correlation_id": event.correlation_id,
        "data": text_of(said.data),
        "spec_version": said.spec_version,
        "quota": quota,
        "told": WEBHOOK_EVENTS.get(event.type),
    }
    for part, write in (("run", decided.run), ("entity", decided.entity)):
        if write is not None:
            values |= {f"{part}.{name}": value for name, value in write.columns.items() if value is not AT}
    return values


class _Given:
    """Allocates the placeholders of a statement, one for each named value, with a cast to its type."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._next = numbered()

    def __call__(self, name: str, table: Table, column: str) -> str:
        self.names.append(name)
        return typed(table, column, self._next, cast=True)

    def column(self, part: str, table: Table, column: str, now: bool, moment: str) -> str:
        """The SQL expression that a column is set to."""
        return moment if now else self(f"{part}.{column}", table, column)


@lru_cache(maxsize=256)
def _statement(kind: AppEventType, shape: _Shape, usual: Usual) -> tuple[str, tuple[str, ...]]:
    given = _Given()
    parts = [_run_part(kind, shape, usual, given)]
    shown, entity = "", TABLES.get(shape.kind) if shape.kind != "run" else None
    if entity is not None:
        parts.append(_entity_part(entity, shape, usual, given))
        shown = ", " + ", ".join(f"s.{column.name}" for column in entity.columns)
        # When the entity is not found, the statement must be rolled back: a failing cast does that.
        shown += f", CASE WHEN s.tenant_id IS NULL THEN ('{CONFLICT}' || m.events)::int END"
    if shape.ends:
        parts += _endings(given)
    parts.append(_event_part(given))
    run = ", ".join(f"m.{name}" for name in _run_columns(shape))
    joined = " LEFT JOIN s ON true" if entity is not None else ""
    text = f"WITH {', '.join(parts)} SELECT e.number, m.moment, {run}{shown} FROM m CROSS JOIN e{joined}"
    return text, tuple(given.names)


def _run_columns(shape: _Shape) -> tuple[str, ...]:
    return RUN if shape.kind == "run" else ("id", "events", "spec_version")


def _run_part(kind: AppEventType, shape: _Shape, usual: Usual, given: _Given) -> str:
    returned = ", ".join(f"app_run.{name}" for name in _run_columns(shape))
    if kind == AppEventType.RUN_CREATED:
        names = ("tenant_id", "app", "events", *(name for name, _ in shape.run))
        values = [given("tenant_id", app_run, "tenant_id"), given("app", app_run, "app"), "1"]
        values += [given.column("run", app_run, name, now, "clock.at") for name, now in shape.run]
        return (
            f"m AS (INSERT INTO app_run ({', '.join(names)}) SELECT {', '.join(values)}"
            f" FROM (SELECT {CLOCK} AS at) AS clock ON CONFLICT DO NOTHING"
            f" RETURNING {returned}, app_run.created_at AS moment)"
        )
    # Changing the run's row takes the slot, and the row stays locked until the commit. So slots have neither
    # duplicates nor gaps: a rollback gives the slot back (I19; chaos: "a slot is skipped").
    sets = ["events = events + 1"]
    sets += [f"{name} = {given.column('run', app_run, name, now, CLOCK)}" for name, now in shape.run]
    same = _key(app_run, "app_run", given)
    where = [same, f"app_run.events < {given('quota', app_run, 'events')}", usual.run]
    # A statement that has waited for the row sees the newest version of it and old versions of all others:
    # the end of a run would miss a hook that the writer before has just created, and never free its token.
    if usual.without_waiting:
        where.append(
            f"app_run.events = (SELECT seen.events FROM app_run AS seen WHERE {_key(app_run, 'seen', given)})"
        )
    if shape.kind in ("step", "hook", "wait"):
        table = TABLES[shape.kind]
        there = f"EXISTS (SELECT 1 FROM {table.name} AS o WHERE {_key(table, 'o', given)}{_and(usual.holds)})"
        # Checked together with the run's row: if it fails here, nothing is written. A failure that only the
        # part ``s`` detects needs the rollback.
        where.append(f"NOT {there}" if shape.inserts else there)
    if kind == AppEventType.HOOK_CREATED:
        where += _free(given)
    if kind == AppEventType.WAIT_CREATED:
        where.append(_not_logged(AppEventType.WAIT_COMPLETED, given))
    if kind in WEBHOOK_EVENTS:
        where.append(_unsubscribed(given))
    return (
        f"m AS (UPDATE app_run SET {', '.join(sets)} WHERE {' AND '.join(where)}"
        f" RETURNING {returned}, {CLOCK} AS moment)"
    )


def _free(given: _Given) -> list[str]:
    """Conditions: no hook holds the token, and the log has no earlier conflict of this hook."""
    hook = TABLES["hook"]
    own = f"o.tenant_id = {given('tenant_id', hook, 'tenant_id')} AND o.app = {given('app', hook, 'app')}"
    held = f"o.token = {given('entity.token', hook, 'token')} AND o.disposed_at IS NULL"
    # A hook that once had a conflict keeps it, also when the token is free by now: a replay must see the
    # same.
    return [
        f"NOT EXISTS (SELECT 1 FROM app_hook AS o WHERE {own} AND {held})",
        _not_logged(AppEventType.HOOK_CONFLICT, given),
    ]


def _not_logged(kind: AppEventType, given: _Given) -> str:
    """Condition: the log has no event of this type with the correlation id."""
    said = f"{_key(app_event, 'o', given)} AND o.event_type = '{kind}'"
    return f"NOT EXISTS (SELECT 1 FROM app_event AS o WHERE {said})"


def _unsubscribed(given: _Given) -> str:
    """Condition: no webhook subscribes to the event. If one does, the slow path writes its deliveries."""
    tenant = given("tenant_id", subscription, "tenant_id")
    event = given("told", subscription, "event")
    return (
        f"NOT EXISTS (SELECT 1 FROM subscription AS o WHERE o.tenant_id = {tenant} AND o.run_id = ''"
        f" AND o.event = {event})"
    )


def _entity_part(table: Table, shape: _Shape, usual: Usual, given: _Given) -> str:
    if not shape.inserts:
        sets = [
            f"{name} = {given.column('entity', table, name, now, 'm.moment')}" for name, now in shape.entity
        ]
        returned = ", ".join(f"o.{column.name}" for column in table.columns)
        return (
            f"s AS (UPDATE {table.name} AS o SET {', '.join(sets)} FROM m"
            f" WHERE {_key(table, 'o', given)}{_and(usual.holds)} RETURNING {returned})"
        )
    key = ("tenant_id", "app", "run_id", "correlation_id")
    slot = ("seq",) if "seq" in table.c else ()
    names = (*key, *slot, *(name for name, _ in shape.entity))
    values = [given(name, table, name) for name in key] + ["m.events" for _ in slot]
    values += [given.column("entity", table, name, now, "m.moment") for name, now in shape.entity]
    returned = ", ".join(column.name for column in table.columns)
    return (
        f"s AS (INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(values)} FROM m"
        f" RETURNING {returned})"
    )


def _endings(given: _Given) -> list[str]:
    """Statements that end the hooks of a run, which frees their tokens, and its waits."""
    hook, wait = TABLES["hook"], TABLES["wait"]
    return [
        f"h AS (UPDATE app_hook AS o SET status = 'disposed', disposed_at = m.moment FROM m"
        f" WHERE {_of_run(hook, given)} AND o.status <> 'disposed')",
        f"w AS (UPDATE app_wait AS o SET status = 'completed', completed_at = m.moment, updated_at = m.moment"
        f" FROM m WHERE {_of_run(wait, given)} AND o.status = 'waiting')",
    ]


def _event_part(given: _Given) -> str:
    # The number is unique over all runs and may have gaps, as sequences do. Replays depend on the slot.
    said = {"seq": "m.events", "number": "nextval('app_event_number')", "at": "m.moment"}
    values = [said.get(name) or given(name, app_event, name) for name in EVENT]
    chosen = f"SELECT {', '.join(values)} FROM m RETURNING number"
    return f"e AS (INSERT INTO app_event ({', '.join(EVENT)}) {chosen})"


def _key(table: Table, alias: str, given: _Given) -> str:
    """The condition that a row is the run, or that it has the event's correlation id in it."""
    if table is app_run:
        names = {"tenant_id": "tenant_id", "app": "app", "id": "run_id"}
    else:
        names = {name: name for name in ("tenant_id", "app", "run_id", "correlation_id")}
    return " AND ".join(f"{alias}.{column} = {given(name, table, column)}" for column, name in names.items())


def _of_run(table: Table, given: _Given) -> str:
    return " AND ".join(f"o.{name} = {given(name, table, name)}" for name in ("tenant_id", "app", "run_id"))


def _and(condition: str) -> str:
    return f" AND {condition}" if condition else ""


def _done(decided: Decision, shape: _Shape, values: Row, found: Any) -> Done:
    names = _run_columns(shape)
    number, moment, *rest = found
    run = dict(zip(names, rest, strict=False))
    entity = None
    if decided.of != "run":
        entity = dict(zip(COLUMNS[decided.of], rest[len(names) :], strict=False))
    said = {name: values.get(name) for name in EVENT}
    return Done(
        run=run,
        event={**said, "seq": run["events"], "number": number, "at": moment},
        kind=decided.of,
        entity=entity,
    )
