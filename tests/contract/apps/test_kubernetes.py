"""Service accounts at the apps API: the lab's API server reviews their tokens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.lab.kube import TOKEN, Faults, Kube
from app.lab.kube.tokens import User
from app.services.apps import applications
from tests.support.apps import AppsApi

ACCOUNTS = {"worker": "shop:worker", "nobody": "shop:nobody", "boss": "ops:boss"}


@pytest.fixture
def lab() -> Iterator[Kube]:
    """An API server that knows the tokens of three accounts and of a user."""
    with Kube() as lab:
        tokens = lab.server().tokens
        for token, account in ACCOUNTS.items():
            tokens.add(token, User(name=f"system:serviceaccount:{account}"))
        tokens.add("person", User(name="alice"))
        yield lab


@pytest.fixture
def api(apps_api: AppsApi, lab: Kube, tmp_path: Path) -> AppsApi:
    """An apps API that asks this API server, and an application that one account is bound to."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "ca.crt").write_bytes(lab.certificate)
    for app in ("shop", "other"):
        applications.create(apps_api.world, app)
    applications.bind(apps_api.world, "shop", "shop", "worker")
    return apps_api.known_by(
        kube_api_server=lab.server().url, kube_account_dir=str(tmp_path), kube_admin="ops:boss"
    )


def test_each_account_sees_what_it_is_bound_to(api: AppsApi) -> None:
    def asked(token: str | None, app: str, path: str = "/runs") -> tuple[int, str | None]:
        reply = api.of(app, token).get(path)
        return reply.status, reply.json.get("message")

    assert asked("worker", "shop")[0] == 200
    assert asked("worker", "other") == (403, "Forbidden: app ID mismatch")
    assert asked("worker", "shop", "/quotas") == (403, "Forbidden: admin access required")
    assert asked("boss", "other", "/quotas")[0] == 200
    assert asked("boss", "nothing") == (404, "Application nothing not found")
    for token in ("nobody", "person", "forged"):
        assert asked(token, "shop") == (401, "Unauthorized: invalid credentials")
    assert asked(None, "shop") == (401, "Unauthorized: missing or invalid Authorization header")


def test_who_is_bound_to_nothing_is_told_that_he_does_not_administer(api: AppsApi) -> None:
    replies = [api.of("shop", "nobody").send("POST", "/api/v1/apps", {"appId": "x"})]
    replies.append(api.of("shop", "nobody").send("POST", "/api/v1/versions/notify", {}))

    assert [reply.status for reply in replies] == [403, 403]
    assert api.of("shop", "nobody").send("GET", "/nothing").status == 401
    assert api.send("GET", "/status").status == 200


@pytest.mark.parametrize("faults", [{"errors": 1.0}, {"throttle": 1.0}, {"dead": True}, {"forbidden": True}])
def test_an_api_server_that_is_away_says_nothing_about_a_token(
    api: AppsApi, lab: Kube, faults: dict[str, object]
) -> None:
    lab.server().active_faults.current = Faults(**faults)  # type: ignore[arg-type]

    reply = api.of("shop", "worker").get("/runs")

    assert (reply.status, "retry-after" in reply.headers) == (503, True)
    lab.server().active_faults.current = Faults()
    assert api.of("shop", "worker").get("/runs").status == 200


def test_a_token_that_was_reviewed_is_known_while_the_api_server_is_away(api: AppsApi, lab: Kube) -> None:
    assert api.of("shop", "worker").get("/runs").status == 200

    lab.server().active_faults.current = Faults(dead=True)

    assert api.of("shop", "worker").get("/runs").status == 200
    assert api.of("shop", "boss").get("/runs").status == 503
