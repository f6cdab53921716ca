"""Deliveries: what a handler is sent, what its answer does, and what becomes of what nobody takes."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.domain.apps.retry import TRIES
from app.record.apps import message_statements, messages
from app.record.apps.scope import Scope
from app.record.session import Tx
from app.record.tables import app_event, app_message, app_run, app_step, app_version
from app.services.apps import deliver
from app.services.apps.deliver import Claimed, Failure
from app.services.apps.handlers import reach
from app.webhooks.handler import Names
from tests.support.apps import AppsApi
from tests.support.cbor import encoded
from tests.support.handlers import Handler, cuts, handling, hangs, resets, says

QUEUE = "__wkf_workflow_workflow//./workflows/greet//greet"
STEP_QUEUE = "__wkf_step_step//./workflows/greet//say"
STAMP, AT = "2030-01-01T00:00:00.000Z", 1_893_456_000_000


@pytest.fixture
def handler(apps_api: AppsApi) -> Iterator[Handler]:
    with handling() as made:
        apps_api.post("/handlers", {"podId": "a", "deploymentVersion": "v1", "endpoints": made.endpoints()})
        yield made


def test_a_message_in_json_arrives_with_its_text(apps_api: AppsApi, handler: Handler) -> None:
    text = b'{"runId" : "wrun_1","n":1.0e3}'
    number = enqueue(apps_api, text)

    assert deliver_all(apps_api) == ["delivered"]

    (came,) = handler.came
    meta = {"queueName": QUEUE, "messageId": f"msg_{number}", "attempt": 0}
    assert (
        came.body
        == b'{"message":' + text + b',"meta":' + json.dumps(meta, separators=(",", ":")).encode() + b"}"
    )
    assert (came.path, came.headers["content-type"]) == ("/.well-known/workflow?query=1", "application/json")
    assert message(apps_api, number)["state"] == "delivered"


def test_a_message_in_cbor_arrives_with_its_bytes(apps_api: AppsApi, handler: Handler) -> None:
    inside = encoded({"runId": "wrun_1", "input": b"devl"})
    body = encoded({"queueName": STEP_QUEUE, "deploymentId": "v1", "message": 0})
    body = body.replace(encoded("message") + encoded(0), encoded("message") + inside)
    apps_api.ask("POST", "/queue", body, content_type="application/cbor")

    assert deliver_all(apps_api) == ["delivered"]

    (came,) = handler.came
    assert inside in came.body and came.headers["content-type"] == "application/cbor"
    assert came.path.startswith("/.well-known/step")


# What is answered, what becomes of the message, and after how many milliseconds it or another one is due.
ANSWERS: list[tuple[Any, str, int | None]] = [
    (says(200, {}), "delivered", None),
    (says(204, b""), "delivered", None),
    (says(200, b"no json"), "delivered", None),
    (says(200, b"x" * 10_000_000), "delivered", None),
    (says(200, b"[" * 60_000), "delivered", None),
    (says(200, {"timeoutSeconds": "5"}), "delivered", None),
    (says(200, {"timeoutSeconds": True}), "delivered", None),
    (says(200, {"timeoutSeconds": -1}), "delivered", None),
    (says(200, b'{"timeoutSeconds":NaN}'), "delivered", None),
    (says(200, {"timeoutSeconds": 0}), "again", 0),
    (says(200, {"timeoutSeconds": 1.5}), "again", 1_500),
    (says(200, b'{"timeoutSeconds":1e999}'), "again", 10 * 366 * 86_400_000),
    (says(425), "again", 1_000),
    (says(425, {"meta": {"retryAfter": "2001-01-01T00:00:00Z"}}), "again", 1_000),
    (says(425, {"meta": {"retryAfter": "soon"}}), "again", 1_000),
    (says(500), "failed", 2_000),
    (says(503, {}, **{"retry-after": "60"}), "failed", 2_000),
    (says(302, {}, location="http://127.0.0.1:1/"), "failed", 2_000),
    (says(404), "failed", 2_000),
    (resets, "failed", 2_000),
    (cuts, "failed", 2_000),
]


def test_what_an_answer_does(apps_api: AppsApi, handler: Handler) -> None:
    for answer, word, pause in ANSWERS:
        handler.answer = answer
        number = enqueue(apps_api, b'{"runId":"r"}')

        assert deliver_all(apps_api, rounds=1) == [word], answer

        newest = rows(apps_api)[-1]
        assert (newest["id"] != number) == (word == "again")
        assert newest["attempts"] == (1 if word == "failed" else 0)
        if pause is not None:
            since = newest["due_at"] - (newest["created_at"] if word == "again" else apps_now(apps_api))
            assert since == pause if word == "again" else since <= pause
        apps_api.world.db.write(lambda tx: tx.execute(app_message.delete()))


def test_too_early_waits_until_then(apps_api: AppsApi, handler: Handler) -> None:
    handler.answer = says(425, {"meta": {"retryAfter": STAMP}})
    enqueue(apps_api, b"{}")

    deliver_all(apps_api, rounds=1)

    assert rows(apps_api)[-1]["due_at"] >= AT


@pytest.mark.parametrize(
    ("answer", "code"), [(says(500), "HTTP_500"), (resets, "ECONNRESET"), (hangs, "UND_ERR_HEADERS_TIMEOUT")]
)
def test_a_failure_is_named(apps_api: AppsApi, handler: Handler, answer: Any, code: str) -> None:
    handler.answer = answer
    number = enqueue(apps_api, b"{}")

    deliver_all(apps_api, rounds=1, answer_s=0.3 if answer is hangs else 60)

    told = json.loads(message(apps_api, number)["failure"])
    assert (told["code"], told["attempt"], told.get("statusCode")) == (
        code,
        1,
        500 if code == "HTTP_500" else None,
    )
    assert told["target"] == {
        "queueName": QUEUE,
        "deploymentVersion": "v1",
        "url": handler.url("workflow").partition("?")[0],
    }


def test_without_a_route_it_waits(apps_api: AppsApi, handler: Handler) -> None:
    key = {"tenant_id": "default", "app": "default", "version": "v1"}
    apps_api.world.db.write(lambda tx: tx.execute(app_version.insert().values(**key, status="expired")))
    expired, unknown = enqueue(apps_api, b"{}"), enqueue(apps_api, b"{}", version="v2")

    assert deliver_all(apps_api, rounds=1) == ["failed", "failed"]

    for number in (expired, unknown):
        assert json.loads(message(apps_api, number)["failure"])["code"] == "ROUTE_NOT_FOUND"
    assert handler.came == []


def test_a_delayed_message_is_not_early(apps_api: AppsApi, handler: Handler) -> None:
    number = enqueue(apps_api, b"{}", delay_s=3_600)
    assert deliver_all(apps_api) == []

    make_due(apps_api, number)

    assert deliver_all(apps_api) == ["delivered"]


def test_who_lost_its_lease_settles_nothing(apps_api: AppsApi, handler: Handler) -> None:
    number = enqueue(apps_api, b"{}")
    (slow,) = claimed(apps_api)
    make_due(apps_api, number)
    (quick,) = claimed(apps_api)

    late = deliver.settle(apps_api.world.db, slow, Failure(code="HTTP_500", message="late"))
    word = settled(apps_api, quick)

    assert (late, word) == ("late", "delivered")
    assert (message(apps_api, number)["attempts"], message(apps_api, number)["failure"]) == (0, None)


@pytest.mark.parametrize("cbor", [False, True])
def test_the_last_failure_of_a_workflow_ends_its_run(apps_api: AppsApi, handler: Handler, cbor: bool) -> None:
    started = {"workflowName": "greet", "deploymentId": "v1"}
    apps_api.event("wrun_1", "run_created", specVersion=6, eventData=started)
    handler.answer = says(500)
    number = enqueue(apps_api, encoded({"runId": "wrun_1"}) if cbor else b'{"runId":"wrun_1"}', cbor=cbor)

    words = deliver_until_dead(apps_api, number)

    assert words == ["failed"] * (TRIES - 1) + ["dead"]
    (run,) = table(apps_api, app_run)
    last = table(apps_api, app_event)[-1]
    assert (run["status"], run["events"], last["event_type"], last["seq"]) == ("failed", 2, "run_failed", 2)
    assert error_of(run["error"]) == ["QueueDeliveryError", "Target returned HTTP 500", "HTTP_500"]
    assert message(apps_api, number)["finalized_at"] is not None
    refused = apps_api.post(f"/dead-letters/msg_{number}/retry")
    assert (refused.status, refused.json["message"]) == (
        400,
        "message not found, not dead, or failure already finalized",
    )


def test_a_run_of_which_only_the_message_came_is_there_as_failed(apps_api: AppsApi, handler: Handler) -> None:
    handler.answer = says(500)
    number = enqueue(apps_api, b'{"runId":"wrun_never"}')

    deliver_until_dead(apps_api, number)

    (run,) = table(apps_api, app_run)
    name = QUEUE.removeprefix("__wkf_workflow_")
    assert (run["id"], run["workflow"], run["status"], run["spec_version"]) == (
        "wrun_never",
        name,
        "failed",
        None,
    )
    assert [one["event_type"] for one in table(apps_api, app_event)] == ["run_failed"]


def test_the_last_failure_of_a_step_ends_the_step_and_wakes_the_workflow(
    apps_api: AppsApi, handler: Handler
) -> None:
    start_step(apps_api, "wrun_1", "step_1")
    handler.answer = says(500)
    number = enqueue(apps_api, b'{"runId":"wrun_1","stepId":"step_1"}')

    deliver_until_dead(apps_api, number)

    (step,), (run,) = table(apps_api, app_step), table(apps_api, app_run)
    assert (step["status"], run["status"]) == ("failed", "running")
    assert error_of(step["error"])[2] == "HTTP_500"
    woken = rows(apps_api)[-1]
    assert (woken["queue"], woken["payload"]) == ("__wkf_workflow_greet", b'{"runId":"wrun_1"}')


@pytest.mark.parametrize("step", ["never", "a\0b", "\ud800"])
def test_a_message_about_no_step_dies_alone(apps_api: AppsApi, handler: Handler, step: str) -> None:
    start_step(apps_api, "wrun_1", "step_1")
    handler.answer = says(500)
    number = enqueue(apps_api, json.dumps({"runId": "wrun_1", "stepId": step}).encode())

    assert deliver_until_dead(apps_api, number)[-1] == "dead"

    assert message(apps_api, number)["state"] == "dead"
    assert [one["status"] for one in table(apps_api, app_step)] == ["running"]


def test_a_health_check_that_nobody_answers_ends_nothing(apps_api: AppsApi, handler: Handler) -> None:
    start_step(apps_api, "wrun_1", "step_1")
    handler.answer = says(500)
    number = enqueue(apps_api, b'{"__healthCheck":true,"correlationId":"c","runId":"wrun_1"}')

    deliver_until_dead(apps_api, number)

    assert [one["status"] for one in table(apps_api, app_run)] == ["running"]


def test_what_is_to_be_delivered_is_listed_soonest_due_first(apps_api: AppsApi) -> None:
    later = enqueue(apps_api, b'{"runId":"a"}', delay_s=60)
    soon = enqueue(apps_api, b'{"runId":"b"}')

    page = apps_api.get("/messages?limit=1").json
    rest = apps_api.get(f"/messages?limit=1&cursor={page['cursor']}").json

    names = [one["messageId"] for one in (*page["data"], *rest["data"])]
    assert (names, page["hasMore"], rest["hasMore"]) == ([f"msg_{soon}", f"msg_{later}"], True, False)
    assert "payload" not in page["data"][0] and page["data"][0]["dueAt"] is not None
    assert [one["messageId"] for one in apps_api.get("/messages?runId=a").json["data"]] == [f"msg_{later}"]
    assert apps_api.get("/messages?runId=%00").status == 400


def test_what_is_to_be_delivered_is_listed_without_being_read(apps_api: AppsApi) -> None:
    number = enqueue(apps_api, b'{"runId":"a"}')
    no_json = app_message.update().values(payload=b"\xff")
    apps_api.world.db.write(lambda tx: tx.execute(no_json))

    assert [one["messageId"] for one in apps_api.get("/messages").json["data"]] == [f"msg_{number}"]


def test_dead_letters_are_listed_and_retried(apps_api: AppsApi, handler: Handler) -> None:
    first, second = enqueue(apps_api, b'{"n":1}'), enqueue(apps_api, encoded({"n": 2}), cbor=True)
    apps_api.world.db.write(lambda tx: messages.kill(tx, Scope.of(tx, "default"), version="v1"))

    page = apps_api.get("/dead-letters?limit=1").json
    rest = apps_api.get(f"/dead-letters?limit=1&cursor={page['cursor']}").json

    assert (page["hasMore"], rest["hasMore"], rest["cursor"]) == (True, False, None)
    (cbor,), (plain,) = page["data"], rest["data"]
    assert (cbor["messageId"], cbor["payload"]) == (f"msg_{second}", None)
    assert (plain["messageId"], plain["payload"], plain["failureFinalizedAt"]) == (
        f"msg_{first}",
        {"n": 1},
        None,
    )
    for name in (f"msg_{first}", str(second)):
        assert apps_api.post(f"/dead-letters/{name}/retry").json["retried"] is True
    assert apps_api.get("/dead-letters").json == {"data": [], "cursor": None, "hasMore": False}
    assert deliver_all(apps_api) == ["delivered", "delivered"]
    assert apps_api.post("/dead-letters/first/retry").json["message"] == "invalid messageId"


def enqueue(
    api: AppsApi, payload: bytes, *, version: str = "v1", cbor: bool = False, delay_s: float = 0
) -> int:
    if cbor:
        body = encoded({"queueName": QUEUE, "deploymentId": version, "message": 0})
        body = body.replace(encoded("message") + encoded(0), encoded("message") + payload)
        reply = api.ask("POST", "/queue", body, content_type="application/cbor")
    else:
        named = json.dumps({"queueName": QUEUE, "deploymentId": version, "delaySeconds": delay_s})
        body = named[:-1].encode() + b',"message":' + payload + b"}"
        reply = api.ask("POST", "/queue", body, content_type="application/json")
    assert reply.status == 201, reply.body
    return int(reply.json["messageId"].removeprefix("msg_"))


def test_of_many_deliveries_only_those_still_held_are_settled(apps_api: AppsApi, handler: Handler) -> None:
    if not message_statements.works(apps_api.world.db):
        pytest.skip("each is settled by itself")
    kept, lost = enqueue(apps_api, b"{}"), enqueue(apps_api, b"{}")
    held = [one.held for one in claimed(apps_api)]
    apps_api.world.db.write(lambda tx: messages.give_back(tx, held[1:]))

    assert deliver.delivered(apps_api.world.db, held) == {kept}

    assert message(apps_api, kept)["state"] == "delivered"
    assert (message(apps_api, lost)["state"], message(apps_api, lost)["delivered_at"]) == ("open", None)


def start_step(api: AppsApi, run_id: str, step_id: str) -> None:
    started = {"workflowName": "greet", "deploymentId": "v1"}
    api.event(run_id, "run_started", specVersion=6, eventData=started)
    named = {"stepName": "say", "input": "aGk="}
    api.event(run_id, "step_started", specVersion=6, correlationId=step_id, eventData=named)


def claimed(api: AppsApi) -> list[Claimed]:
    db = api.world.db
    found, _ = deliver.claim(db, deliver.due(db).apps, places=100, held={}, lease_ms=10_000)
    return found


def settled(api: AppsApi, one: Claimed, answer_s: float = 60) -> str:
    came = deliver.post(one, reach(api.world.settings), Names(), answer_s)
    return deliver.settle(api.world.db, one, came)


def deliver_all(api: AppsApi, rounds: int = 3, answer_s: float = 60) -> list[str]:
    return [settled(api, one, answer_s) for _ in range(rounds) for one in claimed(api)]


def deliver_until_dead(api: AppsApi, number: int) -> list[str]:
    words = []
    while message(api, number)["state"] == "open":
        make_due(api, number)
        words += [settled(api, one) for one in claimed(api) if one.row["id"] == number]
    return words


def make_due(api: AppsApi, number: int) -> None:
    """As if the time of its delay, or of its lease, were over."""
    which = app_message.update().where(app_message.c.id == number)
    api.world.db.write(lambda tx: tx.execute(which.values(due_at=tx.now)))


def message(api: AppsApi, number: int) -> dict[str, Any]:
    return next(row for row in rows(api) if row["id"] == number)


def rows(api: AppsApi) -> list[dict[str, Any]]:
    return api.world.db.read(lambda tx: tx.rows(app_message.select().order_by(app_message.c.id)))


def table(api: AppsApi, of: Any) -> list[dict[str, Any]]:
    def read(tx: Tx) -> list[dict[str, Any]]:
        return tx.rows(of.select().order_by(of.c.seq if of is app_event else of.c.created_at))

    return api.world.db.read(read)


def apps_now(api: AppsApi) -> int:
    return api.world.db.read(lambda tx: tx.now)


def error_of(text: str) -> list[str]:
    told = base64.b64decode(json.loads(text)).decode()
    assert told.startswith('devl[{"name":1,"message":2,"code":3},')
    words: list[str] = json.loads(told.removeprefix("devl"))[1:]
    return words
