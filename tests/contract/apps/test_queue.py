"""POST /queue and /handlers: what is accepted, what is refused, and that a message keeps its bytes."""

from typing import Any

from app.record.session import Tx
from app.record.tables import app_handler, app_message
from chains.messages import WakeUp
from tests.support.apps import AppsApi
from tests.support.cbor import UNDEFINED, encoded

QUEUE = "__wkf_workflow_workflow//./workflows/greet//greet"
CBOR = "application/cbor"


def test_a_message_in_json_keeps_its_text(apps_api: AppsApi) -> None:
    text = '{"runId" : "wrun_1", "n":1.0e3,"twice":1,"twice":2, "zero":"\\u0000"}'
    body = b'{"queueName":"%s","message":%s,"deploymentId":"v1"}' % (QUEUE.encode(), text.encode())

    reply = apps_api.send("POST", "/api/v1/apps/any/queue", body, content_type="application/json")

    assert (reply.status, set(reply.json)) == (201, {"messageId"})
    (row,) = rows(apps_api)
    assert reply.json["messageId"] == f"msg_{row['id']}"
    assert (row["payload"], row["cbor"], row["run_id"], row["version"]) == (
        text.encode(),
        False,
        "wrun_1",
        "v1",
    )
    assert apps_api.published == [WakeUp(queue="app")]


def test_a_message_in_cbor_keeps_its_bytes(apps_api: AppsApi) -> None:
    message = encoded({"runId": "wrun_1", "runInput": {"input": b"devl[1]"}, "at": 1.5, "gone": UNDEFINED})
    unset = {"idempotencyKey": UNDEFINED, "delaySeconds": UNDEFINED}
    head = encoded({"queueName": QUEUE, "message": 0, **unset})
    body = head.replace(encoded("message") + encoded(0), encoded("message") + message)

    reply = apps_api.ask("POST", "/queue", body, content_type=CBOR)

    assert reply.status == 201
    (row,) = rows(apps_api)
    assert (row["payload"], row["cbor"], row["run_id"], row["key"]) == (message, True, "wrun_1", None)


def test_a_delayed_message_says_when(apps_api: AppsApi) -> None:
    reply = apps_api.post("/queue", {"queueName": QUEUE, "message": {}, "delaySeconds": 1.5})

    (row,) = rows(apps_api)
    assert (reply.status, reply.json["scheduled"]) == (201, True)
    assert row["due_at"] == row["created_at"] + 1_500
    assert reply.json["deliverAt"].endswith(f"{row['due_at'] % 1000:03d}Z")


def test_a_key_is_used_once_in_both_encodings(apps_api: AppsApi) -> None:
    asked = {"queueName": QUEUE, "message": {"a": 1}, "idempotencyKey": "step_1"}
    apps_api.post("/queue", asked)

    replies = [
        apps_api.post("/queue", asked),
        apps_api.ask("POST", "/queue", encoded(asked), content_type=CBOR),
    ]

    for reply in replies:
        assert reply.status == 409
        assert reply.json["message"] == "Idempotency key step_1 already processed"
        assert reply.json["code"] == "WF_DUPLICATE_IDEMPOTENCY_KEY"
    assert len(rows(apps_api)) == 1


REFUSED: list[tuple[str, bytes, str]] = [
    ("application/json", b"", "queueName and message are required"),
    ("application/json", b"{}", "queueName and message are required"),
    ("application/json", b'{"queueName":"q","message":0}', "queueName and message are required"),
    ("application/json", b'{"queueName":"","message":1}', "queueName and message are required"),
    ("application/json", b'{"queueName":"q","message":1,}', "is not a JSON object"),
    ("application/json", b'["q"]', "is not a JSON object"),
    ("application/json", b'{"queueName":"q","message":NaN}', "NaN is not a JSON number"),
    ("application/json", b'{"queueName":"q","message":' + b"[" * 300 + b"]" * 300 + b"}", "nested"),
    ("application/json", b'{"queueName":"q\\u0000","message":1}', "queueName must have"),
    ("application/json", b'{"queueName":"q","message":1,"deploymentId":7}', "deploymentId must be"),
    ("application/json", b'{"queueName":"q","message":1,"delaySeconds":"9"}', "delaySeconds must be"),
    ("application/json", b'{"queueName":"q","message":1,"delaySeconds":1e12}', "at most"),
    (CBOR, b"\xb9\x00", "is not CBOR"),
    (CBOR, encoded({"queueName": "q", "message": 1}) + b"\x00", "something follows"),
    (CBOR, encoded({"queueName": "q"}), "queueName and message are required"),
    (CBOR, encoded({"queueName": "q", "message": 1, "delaySeconds": "soon"}), "delaySeconds must be"),
]


def test_what_cannot_be_a_message_is_refused(apps_api: AppsApi) -> None:
    for kind, body, said in REFUSED:
        reply = apps_api.ask("POST", "/queue", body, content_type=kind)

        assert reply.status == 400, reply.body
        assert said in reply.json["message"]
    assert rows(apps_api) == [] and apps_api.published == []


def test_handlers_move_and_one_may_stand_for_all(apps_api: AppsApi) -> None:
    apps_api.post("/handlers", handler("a", "v1"))
    apps_api.post("/handlers", handler("b", "v1"))
    apps_api.post("/handlers", handler("a", "v2"))
    assert pods(apps_api) == {"a": "v2", "b": "v1"}

    alone = apps_api.post("/handlers", {**handler("all", "v1"), "serviceScoped": True})
    ignored = apps_api.post("/handlers", handler("c", "v1"))

    assert (alone.status, alone.json) == (ignored.status, ignored.json) == (201, {"registered": True})
    assert pods(apps_api) == {"a": "v2", "all": "v1"}


def test_a_handler_is_removed_also_when_it_is_not_there(apps_api: AppsApi) -> None:
    apps_api.post("/handlers", handler("a", "v1"))

    replies = [apps_api.ask("DELETE", f"/handlers/{pod}") for pod in ("a", "a", "un/known")]

    assert {(reply.status, str(reply.json)) for reply in replies} == {(200, "{'deregistered': True}")}
    assert pods(apps_api) == {}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"podId": ""}, "podId (or machineId), deploymentVersion, and endpoints are required"),
    ({"endpoints": "http://a"}, "podId (or machineId), deploymentVersion, and endpoints are required"),
    ({"podId": 7}, "podId must be a string"),
    ({"endpoints": {"workflow": "ftp://a/"}}, "endpoints.workflow: must begin with http"),
    ({"endpoints": {"step": "http://user:pw@a/"}}, "endpoints.step: must not hold a user"),
    ({"endpoints": {"webhook": "http://169.254.169.254/"}}, "must not lead to a link-local"),
    ({"endpoints": {"webhook": "http://[::ffff:169.254.1.1]/"}}, "must not lead to a link-local"),
    ({"endpoints": {"step": 5}}, "endpoints.step must be a URL"),
]


def test_a_handler_that_cannot_be_called_is_refused(apps_api: AppsApi) -> None:
    for changed, said in WRONG:
        reply = apps_api.post("/handlers", {**handler("a", "v1"), **changed})

        assert reply.status == 400
        assert said in reply.json["message"]
    assert pods(apps_api) == {}


def handler(pod: str, version: str) -> dict[str, Any]:
    endpoints = {name: f"http://127.0.0.1:9/{name}?a=1" for name in ("workflow", "step", "webhook")}
    return {"podId": pod, "deploymentVersion": version, "endpoints": endpoints}


def rows(api: AppsApi) -> list[dict[str, Any]]:
    return api.world.db.read(lambda tx: tx.rows(app_message.select().order_by(app_message.c.id)))


def pods(api: AppsApi) -> dict[str, str]:
    def read(tx: Tx) -> list[dict[str, Any]]:
        return tx.rows(app_handler.select())

    return {row["pod"]: row["version"] for row in api.world.db.read(read)}
