"""Deliver messages of apps: claim what is due, post it to a handler, settle it under the same fence.

1. Claim: the fence grows, and the message is out of the others' sight until its lease ends.
2. Post: outside any transaction; whoever holds the message prolongs its lease meanwhile.
3. Settle: delivered, sent again after a pause, or dead. A process that was taken for lost finds another fence
   and changes nothing. What a handler asks for (``timeoutSeconds``) is a new message in the same transaction.

A message that has failed ten times ends what it was about: its step, or else its run, in one transaction with
its own end.
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
from app.record.apps import at_once, entities, handlers, log, messages
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
    """A message that this process alone may settle, and where it may be posted."""

    row: Row
    urls: tuple[str, ...]

    @property
    def held(self) -> Held:
        """The message and its fence."""
        return self.row["id"], self.row["fence"]

    @property
    def app(self) -> str:
        """Whose it is."""
        return str(self.row["app"])


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why one attempt has failed; nothing of the answer's body is kept."""

    code: str
    message: str
    status: int | None = None
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Due:
    """What is due, and in how many milliseconds the first of the others will be."""

    apps: tuple[str, ...]
    next_ms: int | None


def due(db: Database) -> Due:
    """The applications that have something due, those that wait longest first."""
    if at_once.works(db):
        found, now = at_once.waiting(db)
    else:
        found, now = db.read(lambda tx: (messages.waiting(tx), tx.now))
    later = [at - now for _, at in found if at > now]
    return Due(apps=tuple(app for app, at in found if at <= now), next_ms=min(later, default=None))


def claim(
    db: Database, apps: Iterable[str], *, places: int, held: Mapping[str, int], lease_ms: int
) -> tuple[list[Claimed], bool]:
    """Take on what is due of these applications, and whether some of it found no place.

    Each may hold as many of the places as it leaves free. So one whose handlers all take long holds half of
    them, the next one half of the rest, and there is always room for another.
    """
    if not at_once.works(db):
        return db.write(lambda tx: _shared([], apps, places, held, partial(_take, tx, lease_ms)))
    claimed: list[Claimed] = []
    try:
        return _shared(claimed, apps, places, held, partial(_take_at_once, db, lease_ms))
    except WindlassError:
        if not claimed:
            raise
        return claimed, True  # Each claim was committed by itself: these are delivered all the same.


def post(claimed: Claimed, reach: Reach, names: Names, answer_s: float) -> Verdict | Failure:
    """One attempt; whatever a handler does is told, never raised."""
    row = claimed.row
    if not claimed.urls:
        return Failure(
            code="ROUTE_NOT_FOUND", message="No registered target is available for this queue delivery"
        )
    # By chance and not in turns: processes that dispatch know nothing of each other's turns.
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
    """Write down what became of an attempt; delivered, again, failed, dead, or late when another has it."""

    def work(tx: Tx) -> str:
        return _delivered(tx, claimed, came) if isinstance(came, Verdict) else _failed(tx, claimed, came)

    try:
        return db.write(work, patience_s=SETTLE_PATIENCE_S)
    except RunAppeared:  # Somebody made the run that was to be made as failed: now it is there.
        return db.write(work, patience_s=SETTLE_PATIENCE_S)


def is_plain(db: Database, came: Verdict | Failure) -> bool:
    """Whether `delivered` may write it down: what becomes of nearly every message."""
    return isinstance(came, Verdict) and not came.again and at_once.works(db)


def delivered(db: Database, held: Sequence[Held]) -> set[int]:
    """Settle many plain deliveries at once; which of them were, the others are for `settle`."""
    return at_once.delivered(db, held, patience_s=SETTLE_PATIENCE_S)


def _shared(
    claimed: list[Claimed],
    apps: Iterable[str],
    places: int,
    held: Mapping[str, int],
    take: Callable[[str, int], list[Claimed]],
) -> tuple[list[Claimed], bool]:
    free, full = places - sum(held.values()), False
    for app in apps:
        # By halves, so that slow handlers of one application never hold all places: 200 of them that take
        # minutes leave room for every other application.
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


def _take_at_once(db: Database, lease_ms: int, app: str, most: int) -> list[Claimed]:
    return [_routed(row, found) for row, found in at_once.claim(db, app, most, lease_ms)]


def _routed(row: Row, found: Iterable[Row]) -> Claimed:
    column = f"{endpoint(row['queue'])}_url"
    return Claimed(row=row, urls=tuple(sorted({one[column] for one in found if one[column]})))


def _delivered(tx: Tx, claimed: Claimed, verdict: Verdict) -> str:
    # First, and under the fence: whoever lost the message must not add a second one below.
    row = messages.delivered(tx, claimed.held)
    if row is None:
        return "late"
    if not verdict.again:
        return "delivered"
    pause = verdict.pause_ms
    if verdict.until is not None:
        # Rounded up: what comes too early finds its wait open, and asks for another message.
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
    told = _told(tx, claimed, failure, attempts)
    if pause is not None:
        return "failed" if messages.failed(tx, claimed.held, told, pause) else "late"
    scope, row = Scope.of(tx, claimed.app), claimed.row
    # The run first and the message second, as whoever cancels a run does it.
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
        # No step is called what cannot be stored. To look for it fails, and the message would never be dead.
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
    # A handler may have done the step and died before it answered: a result that stands is not overwritten.
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
    """A run of which only its message ever came: it is there, so that whoever waits for it sees it fail."""
    columns = {
        "id": row["run_id"],
        "workflow": workflow,
        "deployment": row["version"],
        "status": AppRunStatus.PENDING,
        "attributes": "{}",
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    # Its client may send `run_created` at this very moment; the whole settlement is then decided once more.
    if not entities.write_run(tx, scope, row["run_id"], Write(insert=True, columns=columns)):
        raise RunAppeared


def _write(
    tx: Tx, scope: Scope, kind: AppEventType, run_id: str, correlation_id: str | None, failure: Failure
) -> None:
    """An event of the service itself."""
    event = Incoming(
        run_id=run_id,
        type=kind,
        correlation_id=correlation_id,
        spec_version=None,
        data={"error": _payload(failure)},
    )
    write_in(tx, scope, event)


def _payload(failure: Failure) -> str:
    """The failure as the DevKit reads an error: its own text format, in base64."""
    said = json.dumps(["QueueDeliveryError", failure.message[:FAILURE_CHARS], failure.code])
    return base64.b64encode(f'devl[{{"name":1,"message":2,"code":3}},{said[1:]}'.encode()).decode()


def _told(tx: Tx, claimed: Claimed, failure: Failure, attempt: int) -> str:
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
