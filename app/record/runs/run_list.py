"""The list of runs.

Each filter is answered by an index that also holds what the other filters look at, so that counting ten
thousand matches touches no row: see the indexes in `app.record.tables.runs`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Table,
    Text,
    and_,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    text,
)

from app.domain.events import QUIET
from app.domain.run_kind import RunKind
from app.domain.states import API_STATUS, API_WORDS, NEEDS_OPERATOR, TERMINAL
from app.record.listing import current_step
from app.record.paging import Page, Window, page, plan_anew
from app.record.runs.runs import OPERATIONS
from app.record.session import Tx
from app.record.tables import (
    ACTIVE,
    HELD,
    LATE,
    LATE_MS,
    MAY_STAND,
    NOT_DECLARED,
    OPEN,
    lock,
    run,
    run_tag,
    step,
)

WAITS_AFTER_MS = 5_000  # A message that is due for longer than this makes its run one that does not move.
MOST_LANES = 24  # Beyond so many questions the types are a filter of fewer ones.
STATUSES_OF = {word: tuple(str(s) for s, api in API_STATUS.items() if api == word) for word in API_WORDS}
OPEN_STATUSES = frozenset(str(status) for status in API_STATUS if status not in TERMINAL)
ACTIVE_STATUSES = frozenset({"queued", "running"})  # One stage, which an index has.

Row = dict[str, Any]
_SHOWN = [
    *(
        run.c.id,
        run.c.type,
        run.c.kind,
        run.c.status,
        run.c.resource_type,
        run.c.resource_id,
        run.c.triggered_by,
    ),
    *(
        run.c.created_at,
        run.c.started_at,
        run.c.completed_at,
        run.c.held_ms,
        run.c.waiting_on,
        run.c.expect_since,
    ),
    *(run.c.expect_queue, run.c.version),
    *(run.c.error_code, run.c.error_message, run.c.error_step, run.c.retry_of, run.c.tags),
    *(run.c.parent_run_id, run.c.eta_ms, run.c.acknowledged_at, run.c.acknowledged_by),
]
_BRIEF_STEP = [
    *(step.c.run_id, step.c.key, step.c.phase, step.c.kind, step.c.status, step.c.queue),
    *(step.c.name, step.c.branch, step.c.first_started_at, step.c.started_at, step.c.completed_at),
    *(step.c.tries, step.c.undoes),
]


@dataclass(frozen=True, kw_only=True)
class RunFilters:
    """What narrows a list of runs; all given ones must hold (contracts/runs.rst#lists)."""

    kind: str | None = None  # RunKind.
    type: tuple[str, ...] = ()  # One of these.
    not_type: tuple[str, ...] = ()  # None of these.
    status: tuple[str, ...] = ()  # Of the five words.
    not_status: tuple[str, ...] = ()
    resource_type: str | None = None
    resource_id: str | None = None
    triggered_by: str | None = None
    since: int | None = None  # Started, or else created, at or after.
    until: int | None = None  # Started, or else created, before.
    retry_of: str | None = None
    parent_run_id: str | None = None
    detail: tuple[str, ...] = ()  # Of the fine words.
    not_detail: tuple[str, ...] = ()
    error_code: str | None = None
    acknowledged: bool | None = None
    run_ids: tuple[str, ...] | None = None  # One of these, or else on one of these resources.
    resource_ids: tuple[str, ...] = ()
    needs_operator: bool | None = None
    waiting: bool | None = None
    tags: tuple[str, ...] = ()


def list_runs(tx: Tx, filters: RunFilters, window: Window) -> Page:
    """Which runs are there? Their rows hold what lists show of a run."""
    plan_anew(tx)
    own = _own(tx, filters)
    either = _lanes(filters)
    if not filters.tags:
        where = [run.c.tenant_id == tx.tenant, *_common(tx, run, filters), *own]
        # Few are sorted; in the order of an index SQLite would rather walk all runs for them.
        newest = (run.c.created_at + 0, run.c.id) if filters.run_ids is not None else None
        return page(tx, run, where, window, columns=_SHOWN, either=either, newest=newest)
    where = [*_tagged(tx, filters.tags), *_common(tx, run_tag, filters)]
    if own or any(either):
        where += [*_of_the_tagged(tx, run, run.c.id), *own]
    newest = (run_tag.c.created_at, run_tag.c.run_id)
    return page(tx, run, where, window, columns=_SHOWN, newest=newest, either=either)


def brief_steps(tx: Tx, run_ids: Sequence[str]) -> dict[str, list[Row]]:
    """What lists show of the steps of these runs, in order, forward before undo."""
    found: dict[str, list[Row]] = {run_id: [] for run_id in run_ids}
    if run_ids:
        where = (step.c.tenant_id == tx.tenant, step.c.run_id.in_(run_ids))
        order = (step.c.run_id, step.c.phase.desc(), step.c.ordinal)
        for row in tx.rows(select(*_BRIEF_STEP).where(*where).order_by(*order)):
            found[row["run_id"]].append(row)
    return found


def brief_runs(tx: Tx, run_ids: Sequence[str]) -> list[Row]:
    """What these runs are and how they are, in the order of their ids as given."""
    where = (run.c.tenant_id == tx.tenant, run.c.id.in_(run_ids))
    rows = {row["id"]: row for row in tx.rows(select(run.c.id, run.c.type, run.c.status).where(*where))}
    return [rows[run_id] for run_id in run_ids if run_id in rows]


def inputs_of(tx: Tx, run_ids: Sequence[str]) -> dict[str, Any]:
    """What these runs were given."""
    if not run_ids:
        return {}
    where = (run.c.tenant_id == tx.tenant, run.c.id.in_(run_ids))
    return {row["id"]: row["input"] for row in tx.rows(select(run.c.id, run.c.input).where(*where))}


def lock_holders(tx: Tx, resources: Sequence[str]) -> dict[str, Row]:
    """Who holds these resources now: the run, its type and the step that it is at, by resource."""
    if not resources:
        return {}
    same = (run.c.tenant_id == lock.c.tenant_id) & (run.c.id == lock.c.run_id)
    where = (lock.c.tenant_id == tx.tenant, lock.c.resource.in_(resources))
    columns = (lock.c.resource, lock.c.run_id, run.c.type, run.c.status)
    rows = tx.rows(select(*columns).join_from(lock, run, same).where(*where))
    return {row["resource"]: {**row, "step": current_step(tx, row["run_id"])} for row in rows}


def retries_of(tx: Tx, run_id: str) -> list[str]:
    """Which runs retried this one, oldest first? Sorted here: by itself SQLite would walk all ids for it."""
    where = (run.c.tenant_id == tx.tenant, run.c.retry_of == run_id)
    return sorted(row["id"] for row in tx.rows(select(run.c.id).where(*where)))


def _common(tx: Tx, table: Table, filters: RunFilters) -> list[ColumnElement[bool]]:
    """The conditions on what both a run and its tags say."""
    type_, created = table.c.type, table.c.created_at
    where = [] if filters.type or filters.run_ids is not None else [~type_.startswith(QUIET, autoescape=True)]
    if not filters.type and filters.run_ids is None and filters.parent_run_id is None:
        where.append(type_.not_in(OPERATIONS))
    if len(filters.type) == 1:
        where.append(type_ == filters.type[0])
    elif filters.type and table is not run:
        where.append(type_.in_(filters.type))
    if filters.not_type:
        where.append(type_.not_in(filters.not_type))
    if filters.since is not None:
        newer: list[ColumnElement[bool]] = [
            run.c.began >= filters.since,
            run.c.id.in_(_begun_just_after(tx, filters.since)),
        ]
        if table is not run:  # The run is looked for only when its time does not say so already.
            own = (run.c.tenant_id == tx.tenant, run.c.id == table.c.run_id)
            newer = [created >= filters.since, exists().where(*own, run.c.started_at >= filters.since)]
        where += [created >= _oldest_since(tx, filters.since), or_(*newer)]
    if filters.until is not None:
        where.append(created < filters.until)  # No run starts before it is created.
    return where


def _own(tx: Tx, filters: RunFilters) -> list[ColumnElement[bool]]:
    """The conditions on what a run alone says."""
    equal = {
        run.c.resource_type: filters.resource_type,
        run.c.resource_id: filters.resource_id,
        run.c.triggered_by: filters.triggered_by,
        run.c.parent_run_id: filters.parent_run_id,
    }
    where = [column == value for column, value in equal.items() if value is not None]
    if filters.kind is not None:
        where += of_kind(RunKind(filters.kind))
    if filters.error_code is not None:
        where += [_words("error_code IS NOT NULL"), run.c.error_code == filters.error_code]
    if filters.acknowledged is not None:
        said = run.c.acknowledged_at.is_not(None)
        where.append(said if filters.acknowledged else ~said)
    if filters.needs_operator is not None:
        where += _operator(filters.needs_operator)
    if filters.until is not None:
        where += [run.c.began < filters.until, run.c.id.not_in(_begun_just_after(tx, filters.until))]
    if filters.retry_of is not None:
        found = retries_of(tx, filters.retry_of)  # A few ids, rather than a walk by age.
        where.append(run.c.id.in_(found) if found else _none())
    if filters.waiting is not None:
        where += _waiting(tx, filters.waiting)
    return where


def _lanes(filters: RunFilters) -> list[list[ColumnElement[bool]]]:
    """The conditions of which one must hold: an index answers each by itself, which it does not for all."""
    statuses = _statuses(filters)
    types = filters.type if len(filters.type) > 1 else ()
    named = [run.c.type.in_(types)] if types else []
    if filters.run_ids is not None:
        return [[*one, *also, *named] for one in _named(filters) for also in statuses or [[]]]
    if not types or len(statuses) * len(types) > MOST_LANES:
        return [[*one, *named] for one in statuses]
    return [[run.c.type == name, *one] for name in types for one in statuses or [[]]]


def _named(filters: RunFilters) -> list[list[ColumnElement[bool]]]:
    """The runs themselves, and those on the resources: few of both."""
    ids, resources = filters.run_ids or (), filters.resource_ids
    # One by one, as long as they are few: SQLite looks up one id, and walks all runs for several.
    own = [[run.c.id == one] for one in ids] if len(ids) < MOST_LANES else [[run.c.id.in_(ids)]]
    others = [run.c.id.not_in(ids)] if ids else []
    theirs = [[run.c.resource_id.in_(resources), *others]] if resources else []
    return [*own, *theirs] or [[_none()]]


def _statuses(filters: RunFilters) -> list[list[ColumnElement[bool]]]:
    """A lane for each stage: an index has the runs of each by age, of ended and of open ones.

    Of what bears a tag all open ones are one lane: each is a walk along the tag, and most stages are rare.
    """
    if not (filters.status or filters.not_status or filters.detail or filters.not_detail):
        return []
    words = set(filters.status or API_WORDS) - set(filters.not_status)
    said = {status for word in words for status in STATUSES_OF[word]}
    wanted = (said & set(filters.detail) if filters.detail else said) - set(filters.not_detail)
    # What another filter leaves is so little that the index of ended ones would be a detour.
    others = (filters.resource_id, filters.run_ids, filters.error_code, filters.parent_run_id)
    if any(one is not None for one in others):
        return [[run.c.status.in_(sorted(wanted))]]
    if (
        filters.waiting
    ):  # Put together, a status is looked up in no index: that of what may stand is the best.
        return [[run.c.status.concat("").in_(sorted(wanted))]]
    alone = wanted - OPEN_STATUSES if filters.tags else wanted
    together = sorted(wanted - alone)
    lanes = [
        [run.c.stage == literal(stage, literal_execute=True), *_of_active(stage, wanted)]
        for stage in sorted(_stages(alone))
    ]
    if together:  # The index by type shows the stage as well: one look for each run with the tag.
        stages = sorted(_stages(together))
        lanes.append([run.c.stage.in_(stages), *_of_active(ACTIVE, together), run.c.type == run_tag.c.type])
    return lanes or [[_none()]]


def _stages(statuses: Iterable[str]) -> set[str]:
    """The stages that runs of these statuses are in."""
    return {ACTIVE if status in ACTIVE_STATUSES else status for status in statuses}


def _of_active(stage: str, statuses: Collection[str]) -> list[ColumnElement[bool]]:
    """What a run says itself, where its stage is of more statuses than these."""
    if stage != ACTIVE or not ACTIVE_STATUSES - set(statuses) or not ACTIVE_STATUSES & set(statuses):
        return []
    return [run.c.status.in_(sorted(statuses))]


def of_kind(kind: RunKind) -> list[ColumnElement[bool]]:
    """That a run is of this kind, in words that the index of those that are not declared answers."""
    wanted = run.c.kind == literal(str(kind), literal_execute=True)
    return [wanted] if kind == RunKind.DECLARED else [_words(NOT_DECLARED), wanted]


def _operator(wanted: bool) -> list[ColumnElement[bool]]:
    return [_words(HELD)] if wanted else [run.c.stage.not_in(sorted(NEEDS_OPERATOR))]


def _waiting(tx: Tx, wanted: bool) -> list[ColumnElement[bool]]:
    # A JSON column may hold nothing, or the JSON value null.
    said = func.coalesce(cast(run.c.waiting_on, Text), "null") != "null"
    overdue = func.coalesce(run.c.expect_since, tx.now) < tx.now - WAITS_AFTER_MS
    stands = or_(said, overdue)
    if wanted:
        return [_words(OPEN), _words(MAY_STAND), stands]
    return [~and_(run.c.completed_at.is_(None), stands)]


def _words(condition: str) -> ColumnElement[bool]:
    """The very words of a partial index, so that it answers."""
    words: ColumnElement[bool] = text(condition)  # type: ignore[assignment]
    return words


def _none() -> ColumnElement[bool]:
    """No run: in words, since `false()` takes the conditions beside it along, also those that join tables."""
    return _words("1 = 0")


def _oldest_since(tx: Tx, since: int) -> int:
    """No run that began at or after `since` was created before this: where the walk by age may stop."""
    late = (run.c.tenant_id == tx.tenant, _words(LATE), run.c.began >= since)
    # Plus nothing: or PostgreSQL would look for the least along the index of all runs.
    first = tx.value(select(func.min(run.c.created_at + 0)).where(*late))
    return since - LATE_MS if first is None else min(since - LATE_MS, int(first))


def _begun_just_after(tx: Tx, moment: int) -> Select[tuple[str]]:
    """The runs that were created shortly before this moment and begun after it.

    Indexes have when a run was created, unless it waited for long: these are the others, of one minute.
    """
    begun = run.alias("begun")
    return select(begun.c.id).where(
        begun.c.tenant_id == tx.tenant,
        begun.c.created_at >= moment - LATE_MS,
        begun.c.created_at < moment,
        begun.c.started_at >= moment,
    )


def _tagged(tx: Tx, tags: Sequence[str]) -> list[ColumnElement[bool]]:
    where = [run_tag.c.tenant_id == tx.tenant, run_tag.c.tag == tags[0]]
    for tag in tags[1:]:
        other = run_tag.alias()
        where.append(exists().where(*_of_the_tagged(tx, other, other.c.run_id), other.c.tag == tag))
    return where


def _of_the_tagged(tx: Tx, table: FromClause, id_: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    """That a row is of the run whose tag is looked at.

    Its time says so as well, in which the indexes for lists are sorted: so two of them can be walked side by
    side, from the newest on, and no run itself is looked at.
    """
    same_time = table.c.created_at == run_tag.c.created_at
    return [table.c.tenant_id == tx.tenant, id_ == run_tag.c.run_id, same_time]
