"""Every route and type of event, asked by everybody: nothing of another application is read or changed."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from app.domain.apps.words import AppEventType
from app.record import tables
from app.record.session import Database, Tx
from app.services import keys, permit
from app.services.apps import applications
from tests.contract.apps.test_streams import following
from tests.support.apps import AppsApi

SECRET = "theirs-alone"
RUN, STEP, HOOK, WAIT = "wrun_theirs", "step_theirs", "hook_theirs", "wait_theirs"
MADE = {"deploymentId": "v1", "workflowName": f"workflow//{SECRET}", "input": SECRET}
NAMES = {
    "run_id": RUN,
    "step_id": STEP,
    "hook_id": HOOK,
    "token": SECRET,
    "name": SECRET,
    "version": "v1",
    "event_id": "evnt_00000000000000000000000001",
    "pod": SECRET,
    "pod_id": SECRET,
    "message_id": "msg_1",
    "given": "msg_1",
    "app_id": "theirs",
    "of": "theirs",
}
QUERY = f"runId={RUN}&correlationId={STEP}"
TABLES = (
    "app_run",
    "app_event",
    "app_step",
    "app_hook",
    "app_wait",
    "app_stream",
    "app_chunk",
    "app_message",
)


@pytest.fixture
def tokens(apps_api: AppsApi) -> dict[str, str | None]:
    """No token, one of nobody, of another application, of nobody's application, and of an administrator."""
    made: dict[str, str | None] = {"none": None, "unknown": f"wlk_aaaaaaaa_{'x' * 43}"}
    for name, scope in (("mine", "apps"), ("theirs", "apps"), ("unbound", "apps"), ("admin", "admin")):
        made[name] = keys.create(apps_api.world, name, [scope])[1]
    made["other"] = keys.create(apps_api.world, "other", ["runs:read"])[1]
    for app in ("mine", "theirs"):
        applications.create(apps_api.world, app)
        applications.bind_key(apps_api.world, app, app)
    return made


@pytest.fixture
def api(apps_api: AppsApi, tokens: dict[str, str | None]) -> AppsApi:
    """An apps API that asks for keys, in which an application has one of everything."""
    api = apps_api.known_by(apps_identity="keys")
    theirs = api.of("theirs", tokens["theirs"])
    entities = (
        ("step_created", STEP, {"stepName": SECRET, "input": SECRET}),
        ("hook_created", HOOK, {"token": SECRET}),
        ("wait_created", WAIT, {"resumeAt": "2030-01-01T00:00:00.000Z"}),
    )
    assert theirs.event(RUN, "run_created", specVersion=6, eventData=MADE).status == 200
    for kind, correlation, data in entities:
        made = theirs.event(RUN, kind, specVersion=6, correlationId=correlation, eventData=data)
        assert made.status == 200
    theirs.post("/queue", {"queueName": f"__wkf_workflow_{SECRET}", "message": {"runId": RUN}})
    theirs.ask("PUT", f"/runs/{RUN}/streams/{SECRET}", {"data": "dGhlaXJzLWFsb25l"})
    return api


def rows(api: AppsApi) -> dict[str, list[str]]:
    """Everything that is stored of their application."""
    return {
        name: sorted(
            json.dumps(row, default=str)
            for row in api.world.db.read(partial(_all, name))
            if row["app"] == "theirs"
        )
        for name in TABLES
    }


def _all(name: str, tx: Tx) -> list[dict[str, object]]:
    return tx.rows(getattr(tables, name).select())


def routes(api: AppsApi) -> Iterator[tuple[str, str]]:
    """Method and path of every route but the public ones, about their application and what it has."""
    # Flask does not know these two (app.api.apps.fast_routes).
    yield "POST", f"/api/v1/apps/theirs/runs/{RUN}/events"
    yield "POST", "/api/v1/apps/theirs/queue"
    for rule in api.flask.url_map.iter_rules():
        if rule.endpoint.startswith("ops."):
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: NAMES[found[1]], rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, path


@pytest.mark.parametrize("who", ["none", "unknown", "mine", "unbound", "other"])
def test_no_route_about_theirs_answers(api: AppsApi, tokens: dict[str, str | None], who: str) -> None:
    before, asked = rows(api), list(routes(api))

    them = api.of("theirs", tokens[who])
    answers = {(method, path): them.send(method, f"{path}?{QUERY}", {}).status for method, path in asked}
    open_ = {route: status for route, status in answers.items() if status not in (401, 403)}

    assert (open_, rows(api)) == ({}, before)
    assert len(asked) >= 25


def test_their_things_are_not_found_in_mine(api: AppsApi, tokens: dict[str, str | None]) -> None:
    before, mine = rows(api), api.of("mine", tokens["mine"])
    told = []
    for method, path in routes(api):
        if "/theirs/" not in path or path.endswith("-binding"):
            continue
        reply = mine.send(method, path.replace("/apps/theirs/", "/apps/mine/") + f"?{QUERY}", {})
        if reply.status < 400 and (SECRET.encode() in reply.body or b"dGhlaXJzLWFsb25l" in reply.body):
            told.append((method, path, reply.body))

    assert (told, rows(api)) == ([], before)


@pytest.mark.parametrize("kind", sorted(AppEventType))
def test_no_event_reaches_their_run(api: AppsApi, tokens: dict[str, str | None], kind: AppEventType) -> None:
    before, mine = rows(api), api.of("mine", tokens["mine"])
    data = {"token": SECRET, "stepName": "s", "resumeAt": "2030-01-01T00:00:00Z", "changes": []}

    for correlation in (STEP, HOOK, WAIT):
        reply = mine.event(RUN, str(kind), specVersion=6, correlationId=correlation, eventData=data)
        assert reply.status in (400, 404), reply.body

    assert rows(api) == before


def test_an_id_of_theirs_may_be_mine_as_well(api: AppsApi, tokens: dict[str, str | None]) -> None:
    before, mine = rows(api), api.of("mine", tokens["mine"])
    data = {"deploymentId": "v1", "workflowName": "workflow//mine"}

    made = mine.event(RUN, "run_created", specVersion=6, eventData=data)
    hook = mine.event(RUN, "hook_created", specVersion=6, correlationId="hook_1", eventData={"token": SECRET})

    assert (made.json["run"]["workflowName"], hook.json["hook"]["status"]) == ("workflow//mine", "pending")
    assert rows(api) == before


def test_the_owner_and_an_administrator_are_answered(api: AppsApi, tokens: dict[str, str | None]) -> None:
    for who in ("theirs", "admin"):
        assert api.of("theirs", tokens[who]).get(f"/runs/{RUN}").json["runId"] == RUN
    assert api.of("nobodys", tokens["admin"]).get("/runs").json["code"] == "WF_APP_NOT_FOUND"
    assert api.of("theirs", tokens["theirs"]).get("/quotas").status == 403


ADMINISTRATION = re.compile(
    r"/api/v1/apps(/theirs(/(k8s-binding|key-binding|encryption|quotas|versions/.*))?)?|/api/v1/versions/notify"
)


def test_every_route_answers_its_owner_and_administrators(
    api: AppsApi, tokens: dict[str, str | None]
) -> None:
    told = {}
    for who in ("theirs", "admin"):
        them = api.of("theirs", tokens[who])
        for method, path in routes(api):
            told[who, method, path] = them.send(method, f"{path}?{QUERY}", {}).status

    assert {status for status in told.values() if status >= 500} == set()
    shut = {(who, path) for (who, _, path), status in told.items() if status in (401, 403)}
    assert shut == {("theirs", path) for _, path in routes(api) if ADMINISTRATION.fullmatch(path)}


def test_who_speaks_for_two_applications_sees_each_by_its_path(
    api: AppsApi, tokens: dict[str, str | None]
) -> None:
    applications.bind_key(api.world, "mine", "theirs")
    both = tokens["theirs"]

    assert api.of("theirs", both).get(f"/runs/{RUN}").status == 200
    assert api.of("mine", both).get(f"/runs/{RUN}").status == 404
    assert api.of("nobodys", both).get("/runs").status == 403
    assert api.of("mine", both).event(RUN, "run_completed", specVersion=6).status == 404


def test_numbers_name_applications_to_administrators_alone(
    api: AppsApi, tokens: dict[str, str | None]
) -> None:
    told = {who: api.of("", tokens[who]).send("GET", "/metrics") for who in ("none", "mine", "admin")}

    assert {who: b"theirs" in reply.body for who, reply in told.items()} == {
        "none": False,
        "mine": False,
        "admin": True,
    }
    assert b'windlass_app_runs{status="pending"} 1.0' in told["none"].body


def test_who_is_unbound_is_out_within_seconds(api: AppsApi, tokens: dict[str, str | None]) -> None:
    theirs = api.of("theirs", tokens["theirs"])
    assert theirs.get("/runs").status == 200

    applications.bind_key(api.world, "theirs", "theirs", undo=True)

    assert theirs.get("/runs").status == 401


def test_what_another_process_has_just_allowed_is_not_refused(
    api: AppsApi, tokens: dict[str, str | None]
) -> None:
    unbound, admin = (api.of("new", tokens[who]) for who in ("unbound", "admin"))
    assert (unbound.get("/runs").status, admin.get("/runs").status) == (401, 404)
    elsewhere = Database(api.world.settings.database_url)
    other = replace(api.world, db=elsewhere)

    applications.create(other, "new")
    assert admin.get("/runs").status == 200
    applications.bind_key(other, "new", "unbound")
    assert unbound.get("/runs").status == 200

    assert "new" in [one["appId"] for one in admin.send("GET", "/api/v1/apps").json["data"]]
    elsewhere.dispose()


def test_a_stream_ends_when_its_reader_may_not_read_it_any_more(
    api: AppsApi, tokens: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permit, "CHECK_S", 0.1)
    theirs = api.of("theirs", tokens["theirs"])
    with following(theirs, f"/streams/{SECRET}?stream=true") as reader:
        assert reader.read(12) == b"theirs-alone"
        keys.revoke(api.world, "theirs")

        assert reader.read() == b""
