"""Hostile and odd texts at every door, on both databases: never a 500, never changed, never two answers.

Two services, one on SQLite and one on PostgreSQL, are asked the same. What the one refuses the other refuses
with the same words, and a text that is accepted is read back as it was sent, at every place of the answers
where a plain text of the same request stands.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, groupby
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, update

from app import create_app
from app.api.v1 import examples
from app.auth.keys import SCOPES
from app.record import tables
from app.record.service import definitions
from app.services.context import AppContext
from tests.contract.corpus import BASES, CODE_RUN, FEW_TEXTS, KEPT, PLAIN, SPARE_RUN, TEXTS, WORKFLOW
from tests.contract.managed import plant_cluster, plant_management, plant_vm
from tests.contract.plant import bearer, plant_server
from tests.contract.test_fuzz import DOCUMENT, quiet_world

# What differs between two services that are asked the same: ids, times, and names that were numbered here.
IDS = re.compile(
    r"\b[a-z]{2,6}_[0-9a-z-]{10,60}\b|\b[0-9a-f]{8,}\b|\d{4}-\d\d-\d\dT[\d:.]+Z?|\b(?:n|plain)\d+\b"
)
# Their answers are endless, their effects are the process's own, or they are pages for people.
LEFT_OUT = {
    "streamRun",
    "scrape",
    "startPage",
    "docsPage",
    "problemsPage",
    "docsStyle",
    "docsScript",
    "openapi",
}

Place = tuple[str | int, ...]
Refusal = tuple[int, Any]


@dataclass
class Twin:
    """One of the two services, and the ids of what it knows."""

    world: AppContext
    client: FlaskClient
    key: dict[str, str]
    parts: dict[str, str] = field(default_factory=dict)
    echoes: dict[tuple[str, ...], set[Place]] = field(default_factory=dict)  # By doors; see _echoes.

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Send it; the body as JSON, lone surrogates escaped."""
        content = None if body is None else json.dumps(body)
        headers = {**self.key, **more.pop("headers", {})}
        return self.client.open(
            path, method=method, data=content, content_type="application/json", headers=headers, **more
        )

    def settle(self) -> None:
        """Let nothing stand in the way of the next request."""

        def work(tx: Any) -> None:
            tx.execute(delete(tables.lock))
            tx.execute(delete(tables.type_state))  # A type that is paused starts nothing.
            for table, state in (
                (tables.server, "available"),
                (tables.cluster, "ready"),
                (tables.vm, "running"),
            ):
                tx.execute(update(table).values(state=state))

        self.world.db.write(work)


@pytest.fixture
def twins(started: tuple[Twin, Twin]) -> tuple[Twin, Twin]:
    """Both, after what earlier tests left."""
    for twin in started:
        twin.settle()
    return started


@pytest.fixture(scope="module")
def started(
    databases: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Twin, Twin]]:
    """The same service twice, on each database."""
    urls = {kind: databases(kind).fresh() for kind in ("sqlite", "postgres")}
    made = [_twin(quiet_world(url, tmp_path_factory.mktemp(kind))) for kind, url in urls.items()]
    yield made[0], made[1]
    for twin, (kind, url) in zip(made, urls.items(), strict=True):
        twin.world.db.dispose()
        databases(kind).drop(url)


def _twin(world: AppContext) -> Twin:
    twin = Twin(world, create_app(world).test_client(), bearer(world, "corpus", *SCOPES))
    plant_server(world, examples.SERVER_ID)
    planted = {
        "managementId": plant_management(world),
        "clusterId": plant_cluster(world),
        "vmId": plant_vm(world),
    }
    facts = {"maxEvents": 1000, "executionTimeoutMs": None, "stepTimeoutMs": 1000}
    world.db.write(lambda tx: definitions.announce(tx, WORKFLOW, "1", facts, "f"))
    for run_id in (CODE_RUN, SPARE_RUN):
        twin.ask("POST", "/api/workflows/runs", {"workflowName": WORKFLOW, "runId": run_id})
    pool = _made(twin, "/v1/pools", {"name": "known"})
    nightly = {"name": "known", "type": "server.inspect", "resourceId": examples.SERVER_ID, "cron": "@daily"}
    hook = _made(twin, "/v1/webhooks", {"url": "https://93.184.216.34/hook", "events": ["run.*"]})
    twin.parts = {
        **planted,
        "serverId": examples.SERVER_ID,
        "poolId": pool["id"],
        "scheduleId": _made(twin, "/v1/schedules", nightly)["id"],
        "webhookId": hook["id"],
        "runId": SPARE_RUN,
        "typeName": "server.inspect",
        "resource": f"server/{examples.SERVER_ID}",
    }
    return twin


def _made(twin: Twin, path: str, body: Any) -> Any:
    answer = twin.ask("POST", path, body)
    assert answer.status_code < 300, answer.get_data(as_text=True)
    return answer.get_json()["data"]


@dataclass(frozen=True)
class Door:
    """One operation, and a text that it takes."""

    method: str
    path: str
    place: Place
    base: Any
    name: str  # The operation and the place in words.

    @property
    def is_refused(self) -> bool:
        """Whether a plain text is no value of this field, or is kept but never shown."""
        operation, _, place = self.name.partition(" ")
        return place not in KEPT.get(operation, "").split()

    def body(self, text: str) -> Any:
        """The body with the text at its place."""
        return _with(_fresh(json.loads(json.dumps(self.base))), self.place, text)


_numbers = count(1)


def _fresh(body: Any) -> Any:
    """The body with a name and an address that nothing has yet."""
    if isinstance(body, list):
        return [_fresh(one) for one in body]
    number = next(_numbers)
    own = {"bmcAddress": f"10.9.{number // 250}.{number % 250}:443", "name": f"n{number}"}
    return {**body, **{name: own[name] for name in own if isinstance(body, dict) and name in body}}


def _with(value: Any, place: Place, text: str) -> Any:
    """A JSON value with a text at a place; ``*`` is the name of a member."""
    if not place:
        return text
    first, rest = place[0], place[1:]
    if first == "*":
        return {**(value if isinstance(value, dict) else {}), text: "value"}
    if isinstance(first, int):
        given = value if isinstance(value, list) and value else [None]
        return [_with(given[0], rest, text), *given[1:]]
    inside = value if isinstance(value, dict) else {}
    return {**inside, first: _with(inside.get(first), rest, text)}


def _schema(given: Any) -> Any:
    while "$ref" in given:
        given = DOCUMENT["components"]["schemas"][given["$ref"].rpartition("/")[2]]
    return given


def _texts(schema: Any, place: Place = ()) -> Iterator[Place]:
    """The places of a body that hold text, or whatever the caller likes."""
    schema = _schema(schema)
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    if "enum" in schema:
        return  # Whatever is none of the words is refused before anybody looks at it.
    if "properties" in schema:
        for name, one in schema["properties"].items():
            yield from _texts(one, (*place, name))
    elif "array" in kinds:
        yield from _texts(schema.get("items", {}), (*place, 0))
    elif "object" in kinds:
        yield (*place, "name")
        yield (*place, "*")
    elif kind is None or "string" in kinds:
        yield place


def doors() -> Iterator[Any]:
    """Every operation with a body, at each of its texts."""
    for path, item in DOCUMENT["paths"].items():
        for method, one in item.items():
            content = (one.get("requestBody") or {}).get("content", {}) if method != "parameters" else {}
            body = content.get("application/json")
            if body is None or one["operationId"] in LEFT_OUT:
                continue
            base = BASES.get(one["operationId"], body.get("example"))
            for place in _texts(body["schema"]):
                name = f"{one['operationId']} {'.'.join(map(str, place)) or 'body'}"
                yield pytest.param(Door(method, path, place, base, name), id=name.replace(" ", "-"))


@dataclass(frozen=True)
class Form:
    """One operation, and all places of its body that take text."""

    doors: tuple[Door, ...]
    is_new: bool  # Whether a field of it stands in no form before.

    def kept(self, doors: Iterable[Door]) -> tuple[Door, ...]:
        """Those whose text is shown again."""
        return tuple(door for door in doors if not door.is_refused)

    def body(self, doors: Iterable[Door], text: str) -> Any:
        """The body with the text at all these places."""
        body = _fresh(json.loads(json.dumps(self.doors[0].base)))
        for door in doors:
            body = _with(body, door.place, text)
        return body


def forms() -> Iterator[Any]:
    """Every operation with a body."""
    seen: set[str | int] = set()
    for name, group in groupby(
        (one.values[0] for one in doors()), key=lambda door: door.name.partition(" ")[0]
    ):
        given = tuple(group)
        fields = {next((part for part in reversed(door.place) if part != 0), "body") for door in given}
        yield pytest.param(Form(given, not fields <= seen), id=name)
        seen |= fields


@pytest.mark.postgres
@pytest.mark.parametrize("form", [*forms()])
def test_a_text_in_all_of_a_body_is_refused_alike_or_kept_as_it_is(
    twins: tuple[Twin, Twin], form: Form
) -> None:
    keys = tuple(door for door in form.doors if door.place == ("idempotencyKey",))  # Each is used once.
    others = tuple(door for door in form.doors if door not in keys)
    for name in TEXTS if form.is_new else FEW_TEXTS:
        for doors in filter(None, (others, keys)):
            _told_of(twins, form, name, doors)


def _told_of(twins: tuple[Twin, Twin], form: Form, name: str, left: tuple[Door, ...]) -> None:
    """Send the text at these places; what is refused is left out of the next request, until nothing is."""
    one, text = form.doors[0], TEXTS[name]
    (first, one_found), (second, other_found) = (
        _answered(twin, one, form.body(left, text)) for twin in twins
    )
    assert first[0] < 500, f"{name}: {first}"
    assert first == second, name
    if first[0] < 300:
        for twin, found in zip(twins, (one_found, other_found), strict=True):
            wanted = _echoes(twin, form, form.kept(left))
            assert _read(wanted, PLAIN, text) <= set(found), f"{name} was changed"
        return
    rest = tuple(door for door in left if not _is_named(first[1], door))
    if rest and rest != left:
        _told_of(twins, form, name, rest)
    elif len(left) > 1:  # It is refused as a whole: by itself each field may come further.
        for door in left:
            _told_of(twins, form, name, (door,))


def _echoes(twin: Twin, form: Form, kept: tuple[Door, ...]) -> set[Place]:
    """Where a plain text at these places is read again; it is sent once for all texts."""
    names = tuple(door.name for door in kept)
    if names and names not in twin.echoes:
        plain = f"{PLAIN}{next(_numbers)}"
        told, found = _answered(twin, form.doors[0], form.body(kept, plain))
        assert told[0] < 300, told
        shown = (place for place, text in found if text == plain)
        twin.echoes[names] = {tuple(PLAIN if part == plain else part for part in place) for place in shown}
    return twin.echoes.get(names, set())


def _is_named(told: Any, door: Door) -> bool:
    """Whether a refusal names this field, or one around it."""
    details = told.get("details") if isinstance(told, dict) else None  # Of batches it is a sentence.
    fields = (details or {}).get("fields") or {}
    path = [str(part) for part in door.place if part != "*"]
    return any(name.split(".") == path[: name.count(".") + 1] for name in fields)


@pytest.mark.nightly
@pytest.mark.postgres
@pytest.mark.parametrize("door", [*doors()])
def test_a_text_in_a_body_is_refused_alike_or_kept_as_it_is(twins: tuple[Twin, Twin], door: Door) -> None:
    echoes = [_told(twin, door, PLAIN)[1] for twin in twins]
    places = [{place for place, text in found if text == PLAIN} for found in echoes]
    assert door.is_refused or all(places), "the plain text is read nowhere"
    for name, text in TEXTS.items():
        answers = [_told(twin, door, text) for twin in twins]
        (first, *_), (second, *_) = answers
        assert first[0] < 500, f"{name}: {first}"
        assert first == second, name
        if first[0] < 300:
            for wanted, (_, found) in zip(places, answers, strict=True):
                assert _read(wanted, PLAIN, text) <= set(found), f"{name} was changed"


def _read(places: set[Place], plain: str, text: str) -> set[tuple[Place, str]]:
    """Where the text has to be read, when the plain one was read at these places."""
    return {(tuple(text if part == plain else part for part in place), text) for place in places}


def _told(twin: Twin, door: Door, text: str) -> tuple[Refusal, list[tuple[Place, str]]]:
    """How the text at this place was answered; see _answered."""
    return _answered(twin, door, door.body(text))


def _answered(twin: Twin, door: Door, body: Any) -> tuple[Refusal, list[tuple[Place, str]]]:
    """How it was answered, and the texts of the answer, of what was made and of its run."""
    parts = {name: quote(part) for name, part in twin.parts.items()}
    if door.path.startswith("/api/") and door.method != "delete":
        parts["runId"] = CODE_RUN  # It has to stay open.
    path = _filled(door.path, parts)
    answer = twin.ask(door.method, path, body)
    told = answer.get_json(silent=True)
    if answer.status_code >= 300:
        return (answer.status_code, _alike(told)), []
    if answer.status_code == 207 and "error" in told["data"][0]:  # Each item is judged by itself.
        return (400, _alike(told["data"][0])), []
    found = list(_strings(told, ("answer",)))
    data = told.get("data", told) if isinstance(told, dict) else told
    if isinstance(data, dict) and door.method == "post":
        run_id = (told.get("meta") or {}).get("workflowId") or data.get("runId") or data.get("id")
        for read in {f"{path}/{data.get('id')}", f"/v1/workflows/runs/{run_id}"}:
            again = twin.ask("GET", read)
            if again.status_code == 200:
                found += _strings(again.get_json(), ("read", read.rpartition("/")[0]))
    elif door.method in ("patch", "put"):
        found += _strings(twin.ask("GET", path).get_json(silent=True), ("read",))
    if answer.status_code == 202:
        twin.settle()
    return (answer.status_code, None), found


def _filled(path: str, parts: Mapping[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda part: parts.get(part[1], "unknown"), path)


def _alike(told: Any) -> Any:
    """A refusal without what is drawn by lot."""
    error = (told or {}).get("error", told)
    return json.loads(IDS.sub("…", json.dumps(error)))


def _strings(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield (*place, name, "*"), name
            yield from _strings(one, (*place, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _strings(one, (*place, number))


def queries() -> Iterator[Any]:
    """Every part of a path, and every parameter of a query, where many lists have it at one of them."""
    seen: set[tuple[str, str]] = set()
    for path, item in DOCUMENT["paths"].items():
        for method, one in item.items():
            if method == "parameters" or one["operationId"] in LEFT_OUT:
                continue
            for given in [*item.get("parameters", ()), *one.get("parameters", ())]:
                known = (given["name"], json.dumps(given.get("schema")))
                if given.get("in") == "path" or (given.get("in") == "query" and known not in seen):
                    where = (method, path, given["in"], given["name"])
                    id_ = f"{one['operationId']}-{given['name']}"
                    yield pytest.param(where, TEXTS if known not in seen else FEW_TEXTS, id=id_)
                    seen.add(known)


@pytest.mark.postgres
@pytest.mark.parametrize(("where", "labels"), [*queries()])
def test_a_text_in_a_path_or_query_is_answered_alike(
    twins: tuple[Twin, Twin],
    where: tuple[str, str, str, str],
    labels: Iterable[str],
    request: pytest.FixtureRequest,
) -> None:
    method, path, kind, name = where
    for label in TEXTS if request.config.getoption("nightly") else labels:
        text = TEXTS[label]
        if len(text) > 1_000 or (kind == "path" and not text):
            continue  # The server refuses such a line before the application sees it, or it is another path.
        written = quote(text.encode("utf-8", "surrogatepass"), safe="")
        answers = []
        for twin in twins:
            parts = {**twin.parts, **({name: written} if kind == "path" else {})}
            filled = _filled(path, parts)
            asked = filled if kind == "path" else f"{filled}?{name}={written}"
            answer = twin.ask(method, asked, None if method == "get" else {})
            answers.append(
                (
                    answer.status_code,
                    _alike(answer.get_json(silent=True)) if answer.status_code >= 400 else None,
                )
            )
            if answer.status_code == 202:
                twin.settle()
        assert answers[0][0] < 500, f"{label}: {answers[0]}"
        assert answers[0] == answers[1], label


HEADERS = (
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Accept",
    "X-Request-Id",
    "Authorization",
    "traceparent",
)


@pytest.mark.postgres
@pytest.mark.parametrize("header", HEADERS)
def test_a_text_in_a_header_is_answered_alike(twins: tuple[Twin, Twin], header: str) -> None:
    for label, text in TEXTS.items():
        value = text.encode("utf-8", "surrogatepass").decode("latin-1")
        if len(text) > 1_000 or re.search(r"[\r\n\0]", value):
            continue  # No server takes such a line.
        for method, path, body in (
            ("POST", "/v1/pools", {"name": f"of {label}"}),
            ("GET", "/v1/servers", None),
        ):
            answers = [twin.ask(method, path, body, headers={header: value}) for twin in twins]
            told = [
                (one.status_code, _alike(one.get_json(silent=True)) if one.status_code >= 400 else None)
                for one in answers
            ]
            assert told[0][0] < 500 and told[0] == told[1], f"{label}: {told}"
