"""Applications, accounts, versions and quotas of the apps API without an identity: the caller administers."""

import base64

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.auth.appsecrets import opened
from app.record.apps import applications
from app.services.apps import encryption
from tests.support.apps import AppsApi

RUN = "wrun_01KC9V5Q8W3F7X2M4N6P8R0T1V"
STARTED = {"deploymentId": "v1", "workflowName": "workflow//./greet//greet"}


def test_an_application_is_made_once(apps_api: AppsApi) -> None:
    replies = [apps_api.send("POST", "/api/v1/apps", {"appId": "@acme/shop"}) for _ in range(2)]

    assert [(reply.status, reply.json) for reply in replies] == [
        (201, {"appId": "@acme/shop"}),
        (200, {"appId": "@acme/shop"}),
    ]


def test_an_application_is_shown_with_its_quotas_versions_and_handlers(apps_api: AppsApi) -> None:
    endpoints = {"workflow": "http://127.0.0.1:9/flow"}
    apps_api.post("/handlers", {"podId": "a", "deploymentVersion": "v1", "endpoints": endpoints})

    shown = apps_api.get("").json

    assert (shown["appId"], shown["encrypted"], shown["quotas"]["isDefault"]) == ("default", False, True)
    assert [one["workflow"] for one in shown["handlers"]] == ["http://127.0.0.1:9/flow"]


@pytest.mark.parametrize("app", [None, "", 5, "a b", "a/b", "x" * 215, "@/x", "a\n", ".", "..", "@a/.."])
def test_an_application_needs_an_id_that_a_path_can_name(apps_api: AppsApi, app: object) -> None:
    reply = apps_api.send("POST", "/api/v1/apps", {"appId": app})

    assert (reply.status, reply.json["code"]) == (400, "WF_BAD_REQUEST")
    assert reply.json["error"] == reply.json["message"]
    assert apps_api.send("GET", "/api/v1/apps").json == {"data": []}


def test_an_account_is_bound_and_unbound(apps_api: AppsApi) -> None:
    account = {"namespace": "shop", "serviceAccount": "worker"}
    apps_api.send("POST", "/api/v1/apps", {"appId": "shop"})
    path = "/api/v1/apps/shop/k8s-binding"

    replies = [apps_api.send("POST", path, account) for _ in range(2)]

    assert [(each.status, each.json) for each in replies] == [(201, {"appId": "shop", **account})] * 2
    gone = [apps_api.send("DELETE", path, account) for _ in range(2)]
    assert [(each.status, each.json) for each in gone] == [(200, {"deleted": True})] * 2


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_binding_is_checked(apps_api: AppsApi, method: str) -> None:
    whole = {"namespace": "shop", "serviceAccount": "worker"}
    apps_api.send("POST", "/api/v1/apps", {"appId": "shop"})

    foreign = apps_api.send(method, "/api/v1/apps/other/k8s-binding", whole)
    half = apps_api.send(method, "/api/v1/apps/shop/k8s-binding", {"namespace": "shop"})
    odd = apps_api.send(method, "/api/v1/apps/shop/k8s-binding", {**whole, "namespace": "@key"})

    assert (foreign.status, foreign.json["message"]) == (404, "Application other not found")
    assert (half.status, half.json["message"]) == (400, "namespace and serviceAccount are required")
    assert odd.status == 400


def test_quotas_go_back_to_their_defaults(apps_api: AppsApi) -> None:
    default = {"maxRuns": 10_000, "maxEventsPerRun": 100_000, "maxQueuePerMinute": 100_000}

    assert apps_api.get("/quotas").json == {**default, "isDefault": True}
    assert apps_api.ask("PUT", "/quotas", {"maxRuns": 5}).json == {**default, "maxRuns": 5}
    assert apps_api.get("/quotas").json == {**default, "maxRuns": 5, "isDefault": False}
    assert apps_api.ask("PUT", "/quotas", {"maxEventsPerRun": 7}).json == {**default, "maxEventsPerRun": 7}


@pytest.mark.parametrize(
    "quotas", [{}, {"maxRuns": None}, {"maxRuns": -1}, {"maxRuns": "5"}, {"maxRuns": 1.5}]
)
def test_quotas_are_checked(apps_api: AppsApi, quotas: dict[str, object]) -> None:
    reply = apps_api.ask("PUT", "/quotas", quotas)

    assert (reply.status, apps_api.get("/quotas").json["isDefault"]) == (400, True)


def test_a_version_is_noted(apps_api: AppsApi) -> None:
    apps_api.get("/quotas")
    note = {"applicationId": "default", "deploymentVersion": "v1", "status": "draining"}

    reply = apps_api.send("POST", "/api/v1/versions/notify", note)

    assert (reply.status, reply.json) == (200, {"updated": True})
    wrong = [{**note, "applicationId": "x"}, {**note, "status": "gone"}, {"status": "active"}]
    answers = [apps_api.send("POST", "/api/v1/versions/notify", each) for each in wrong]
    assert [each.json["message"] for each in answers] == [
        "application x not found",
        "status must be one of active, draining, expired",
        "applicationId, deploymentVersion, and status are required",
    ]
    assert {each.status for each in answers} == {400}


def test_without_a_secret_there_is_no_key(apps_api: AppsApi) -> None:
    missing = apps_api.get("/encryption-key")

    assert (missing.status, missing.json["message"]) == (400, "runId is required")
    assert apps_api.get(f"/encryption-key?runId={RUN}").json == {"key": None}


def test_each_run_has_a_key_of_the_secret(apps_api: AppsApi) -> None:
    apps_api.get("/quotas")
    encryption.generate(apps_api.world, "default")

    key = apps_api.get(f"/encryption-key?runId={RUN}").json["key"]

    world = apps_api.world
    sealed = world.db.read(lambda tx: applications.one(tx, "default"))["secret"]  # type: ignore[index]
    secret = opened(world.settings, world.db.tenant, "default", sealed)
    derived = HKDF(algorithm=SHA256(), length=32, salt=RUN.encode(), info=b"workflow-encryption").derive(
        secret
    )
    assert base64.b64decode(key) == derived
