"""Deliver messages of apps: claim what is due, post it to a handler, settle it under the same fence.

1. Claim: the fence grows, and other processes do not see the message until its lease ends.
2. Post: outside any transaction; the process that holds the message renews its lease meanwhile.
3. Settle: delivered, due again after a pause, or dead. A process whose lease has ended finds another fence
   and changes nothing. When a handler asks for another call (``timeoutSeconds``), the same transaction adds
   a message for it.

A message that has failed ten times is dead. The same transaction fails the step that it was for, or else the
run.
"""

import base64
import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from app.domain.apps import envelope, reply, retry
from app.domain.apps.decide import Write, stamp, text_of
from app.domain.apps.incoming import Incoming, storable
from app.domain.apps.reply import Verdict
from app.domain.apps.routes import endpoint, workflow_of, workflow_queue
from app.domain.apps.slots import message_id
from app.domain.apps.words import OPEN, AppEventType, AppRunStatus, AppStepStatus
from app.domain.errors import ValidationFailed, WindlassError
from app.record.apps import entities, handlers, log, message_statements, messages
from app.record.apps.messages import Held, NewMessage
from app.record.apps.scope import Scope
from app.record.session import Database, Tx
from app.services.apps.write import RunAppeared, write_in
from app.webhooks import handler
from app.webhooks.handler import Names, Reach, Unreachable

_log = structlog.get_logger("apps")
Row = dict[str, Any]
FAILURE_CHARS = 512
SETTLE_PATIENCE_S = 60.0
JSON, CBOR = "application/json", "application/cbor"


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A message that only this process may settle, and the handlers that it may be posted to."""

    row: Row
    urls: tuple[str, ...]

    @property
    def held(self) -> Held:
        """The message and its fence."""
        return self.row["id"], self.row["fence"]

    @property
    def app(self) -> str:
        """The application of the message."""
        return str(self.row["app"])


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why one attempt has failed; the body of the response is not kept."""

    code: str
    message: str
    status: int | None = None
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Due:
    """The applications with due messages, and in how many milliseconds the next message will be due."""

    apps: tuple[str, ...]
    next_ms: int | None


def due(db: Database) -> Due:
    """The applications with due messages, those that have waited longest first."""
    if message_statements.works(db):
        found, now = message_statements.waiting(db)
    else:
        found, now = db.read(lambda tx: (messages.waiting(tx), tx.now))
    later = [at - now for _, at in found if at > now]
    return Due(apps=tuple(app for app, at in found if at <= now), next_ms=min(later, default=None))


def claim(
    db: Database, apps: Iterable[str], *, places: int, held: Mapping[str, int], lease_ms: int
) -> tuple[list[Claimed], bool]:
    """Claim due messages of these applications; returns also whether places were too few for all of them.

    An application may hold at most as many places as are left free. So an application whose handlers all take
    long holds half of the places, the next one half of the rest, and there is always a place for another.
    """
    if not message_statements.works(db):
        return db.write(lambda tx: _shared([], apps, places, held, partial(_take, tx, lease_ms)))
    claimed: list[Claimed] = []
    try:
        return _shared(claimed, apps, places, held, partial(_take_in_one_statement, db, lease_ms))
    except WindlassError:
        if not claimed:
            raise
        return claimed, True  # Earlier claims are committed already: they are delivered all the same.


def post(claimed: Claimed, reach: Reach, names: Names, answer_s: float) -> Verdict | Failure:
    """Make one attempt; the response or failure of a handler is returned, never raised."""
    row = claimed.row
    if not claimed.urls:
        return Failure(
            code="ROUTE_NOT_FOUND", message="No registered target is available for this queue delivery"
        )
    # At random and not in turns: dispatching processes do not know of each other's turns.
    url = random.choice(claimed.urls)
    body = envelope.delivery(
        row["payload"],
        is_cbor=row["cbor"],
        queue=row["queue"],
        message_id=message_id(row["id"]),
        attempt=row["attempts"],
    )
    try:
        where = handler.pinned(url, reach, names)
        answered = handler.post(where, CBOR if row["cbor"] else JSON, body, answer_s)
    except Unreachable as error:
        return Failure(code=error.code, message=error.message, url=url)
    except ValidationFailed as error:
        return Failure(code="DISPATCH_ERROR", message=f"The handler's {error.message}", url=url)
    verdict = reply.verdict(answered.status, answered.body)
    if verdict is None:
        said = f"Target returned HTTP {answered.status}"
        return Failure(code=f"HTTP_{answered.status}", message=said, status=answered.status, url=url)
    return verdict


def settle(db: Database, claimed: Claimed, came: Verdict | Failure) -> str:
    """Store the result of an attempt; delivered, again, failed, dead, or late when another process has it."""

    def work(tx: Tx) -> str:
        return _delivered(tx, claimed, came) if isinstance(came, Verdict) else _failed(tx, claimed, came)

    try:
        return db.write(work, patience_s=SETTLE_PATIENCE_S)
    except RunAppeared:  # A client has created the run that was about to be created as failed.
        return db.write(work, patience_s=SETTLE_PATIENCE_S)


def is_plain(db: Database, came: Verdict | Failure) -> bool:
    """Whether `delivered` can settle this result, which nearly all messages have: delivered, nothing more."""
    return isinstance(came, Verdict) and not came.again and message_statements.works(db)


def delivered(db: Database, held: Sequence[Held]) -> set[int]:
    """Settle many plain deliveries in one statement; the numbers of those settled, others need `settle`."""
    return message_statements.delivered(db, held, patience_s=SETTLE_PATIENCE_S)


def _shared(
    claimed: list[Claimed],
    apps: Iterable[str],
    places: int,
    held: Mapping[str, int],
    take: Callable[[str, int], list[Claimed]],
) -> tuple[list[Claimed], bool]:
    free, full = places - sum(held.values()), False
    for app in apps:
        # Half of the free places at most, so that slow handlers of one application never hold all of them:
        # 200 calls that take minutes leave places for every other application.
        most = (free - held.get(app, 0) + 1) // 2
        taken = take(app, most) if most > 0 else []
        full = full or len(taken) >= most
        free -= len(taken)
        claimed += taken
    return claimed, full


def _take(tx: Tx, lease_ms: int, app: str, most: int) -> list[Claimed]:
    rows = messages.claim(tx, app, most, lease_ms)
    routes = handlers.routes(tx, {(row["app"], row["version"]) for row in rows}) if rows else {}
    return [_routed(row, routes.get((row["app"], row["version"]), ())) for row in rows]


def _take_in_one_statement(db: Database, lease_ms: int, app: str, most: int) -> list[Claimed]:
    return [_routed(row, found) for row, found in message_statements.claim(db, app, most, lease_ms)]


def _routed(row: Row, found: Iterable[Row]) -> Claimed:
    column = f"{endpoint(row['queue'])}_url"
    return Claimed(row=row, urls=tuple(sorted({one[column] for one in found if one[column]})))


def _delivered(tx: Tx, claimed: Claimed, verdict: Verdict) -> str:
    # First, and under the fence: a process that has lost the message must not add another one below.
    row = messages.delivered(tx, claimed.held)
    if row is None:
        return "late"
    if not verdict.again:
        return "delivered"
    pause = verdict.pause_ms
    if verdict.until is not None:
        # Rounded up: a message that comes too early finds its wait open, and its handler asks again.
        pause = max(1_000, -(-(verdict.until - tx.now) // 1_000) * 1_000)
    again = NewMessage(
        queue=row["queue"],
        payload=row["payload"],
        cbor=row["cbor"],
        run_id=row["run_id"],
        version=row["version"],
        delay_ms=min(pause, envelope.MOST_DELAY_S * 1_000),
    )
    messages.add(tx, Scope.of(tx, claimed.app), again)
    return "again"


def _failed(tx: Tx, claimed: Claimed, failure: Failure) -> str:
    attempts = claimed.row["attempts"] + 1
    pause = retry.next_try_ms(attempts)
    told = _failure_text(tx, claimed, failure, attempts)
    if pause is not None:
        return "failed" if messages.failed(tx, claimed.held, told, pause) else "late"
    scope, row = Scope.of(tx, claimed.app), claimed.row
    # Locks the run first and the message second, in the order that cancelling a run has.
    run = log.locked_run(tx, scope, row["run_id"]) if row["run_id"] else None
    if messages.exhausted(tx, claimed.held, told) is None:
        return "late"
    if row["run_id"]:
        _end_with(tx, scope, row, run, failure)
    return "dead"


def _end_with(tx: Tx, scope: Scope, row: Row, run: Row | None, failure: Failure) -> None:
    """End the step or the run that a dead message was about; a health check is about neither."""
    facts = envelope.facts(row["payload"], is_cbor=row["cbor"])
    if facts.get("__healthCheck") is True:
        return
    step_id = facts.get("stepId")
    if isinstance(step_id, str) and step_id:
        # An id that cannot be stored names no step. The query for it would fail, and the message never end.
        if run is not None and storable(step_id):
            _fail_step(tx, scope, row, run, step_id, failure)
        return
    if run is None:
        workflow = workflow_of(row["queue"])
        if workflow is None:
            return
        _make_run(tx, scope, row, workflow)
    if run is None or run["status"] in OPEN:
        _write(tx, scope, AppEventType.RUN_FAILED, row["run_id"], None, failure)


def _fail_step(tx: Tx, scope: Scope, row: Row, run: Row, step_id: str, failure: Failure) -> None:
    # A handler may have completed the step and died before it answered: a stored result is not overwritten.
    step = entities.entity(tx, scope, "step", row["run_id"], step_id)
    if step is None or step["status"] not in (AppStepStatus.PENDING, AppStepStatus.RUNNING):
        return
    _write(tx, scope, AppEventType.STEP_FAILED, row["run_id"], step_id, failure)
    wake = NewMessage(
        queue=workflow_queue(run["workflow"]),
        payload=envelope.invocation(row["run_id"], is_cbor=row["cbor"]),
        cbor=row["cbor"],
        run_id=row["run_id"],
        version=row["version"],
    )
    messages.add(tx, scope, wake)


def _make_run(tx: Tx, scope: Scope, row: Row, workflow: str) -> None:
    """Create a failed run of which only the message arrived, so that clients that wait for it see it fail."""
    columns = {
        "id": row["run_id"],
        "workflow": workflow,
        "deployment": row["version"],
        "status": AppRunStatus.PENDING,
        "attributes": "{}",
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    # The client may send `run_created` at the same moment; the whole settlement is then decided again.
    if not entities.write_run(tx, scope, row["run_id"], Write(insert=True, columns=columns)):
        raise RunAppeared


def _write(
    tx: Tx, scope: Scope, kind: AppEventType, run_id: str, correlation_id: str | None, failure: Failure
) -> None:
    """Write an event on behalf of the service."""
    event = Incoming(
        run_id=run_id,
        type=kind,
        correlation_id=correlation_id,
        spec_version=None,
        data={"error": _payload(failure)},
    )
    write_in(tx, scope, event)


def _payload(failure: Failure) -> str:
    """The failure as the DevKit reads an error: in its own text format, as base64."""
    said = json.dumps(["QueueDeliveryError", failure.message[:FAILURE_CHARS], failure.code])
    return base64.b64encode(f'devl[{{"name":1,"message":2,"code":3}},{said[1:]}'.encode()).decode()


def _failure_text(tx: Tx, claimed: Claimed, failure: Failure, attempt: int) -> str:
    row = claimed.row
    target: dict[str, object] = {"queueName": row["queue"], "deploymentVersion": row["version"]}
    if failure.url is not None:
        target["url"] = failure.url.partition("#")[0].partition("?")[0]
    told: dict[str, object] = {
        "code": failure.code,
        "message": failure.message[:FAILURE_CHARS],
        "at": stamp(tx.now),
        "attempt": attempt,
    }
    if failure.status is not None:
        told["statusCode"] = failure.status
    return str(text_of({**told, "target": target}))
