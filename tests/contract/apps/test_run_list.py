"""`windlass app` and `windlass run list --source apps`: on the database, and with ``--url``."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli.commands import apps as commands
from app.cli.main import cli
from app.services import keys
from app.services.apps import applications
from tests.support.apps import AppsApi

MADE = {"deploymentId": "v1", "workflowName": "w"}


def listed(api: AppsApi, *words: str) -> Result:
    """The command on the database of the apps API."""
    environ = {"DATABASE_URL": str(api.world.settings.database), "WINDLASS_STATE_DIR": "/nonexistent"}
    return CliRunner().invoke(cli, ["run", "list", "--source", "apps", *words], env=environ)


def test_runs_of_all_applications_are_listed_newest_first(apps_api: AppsApi) -> None:
    api = apps_api.known_by(apps_identity="ecs")
    for number, app in enumerate(("shop", "desk", "shop")):
        applications.create(api.world, app)
        assert api.of(app).event(f"wrun_{number}", "run_created", specVersion=6, eventData=MADE).status == 200
    api.of("shop").event("wrun_0", "run_cancelled", specVersion=6)

    def shown(*words: str) -> list[Any]:
        return [(run["app"], run["runId"]) for run in json.loads(listed(api, "-o", "json", *words).stdout)]

    assert shown() == [("shop", "wrun_2"), ("desk", "wrun_1"), ("shop", "wrun_0")]
    assert shown("--status", "cancelled", "--status", "failed") == [("shop", "wrun_0")]
    assert shown("--limit", "1") == [("shop", "wrun_2")]


@pytest.mark.parametrize(("noun", "rows"), [("events", 5), ("steps", 3)])
def test_a_long_run_is_shown_whole(
    apps_api: AppsApi, monkeypatch: pytest.MonkeyPatch, noun: str, rows: int
) -> None:
    monkeypatch.setattr(commands, "PAGE", 2)
    for kind in ("run_created", "run_started"):
        apps_api.event("wrun_1", kind, specVersion=6, eventData=MADE)
    for number in range(3):
        named: Any = {"correlationId": f"step_{number}", "eventData": {"stepName": f"s{number}"}}
        apps_api.event("wrun_1", "step_created", specVersion=6, **named)

    shown = asked(apps_api, "app", "run", noun, "default", "wrun_1")

    assert len(json.loads(shown.stdout)) == rows


def test_what_does_not_narrow_runs_of_apps_is_refused(apps_api: AppsApi) -> None:
    for words in (("text",), ("--type", "x"), ("--status", "blocked"), ("--page", "2")):
        refused = listed(apps_api, *words)
        assert (refused.exit_code, refused.stdout) == (2, ""), words


def asked(api: AppsApi, *words: str, key: str = "") -> Result:
    """A command for which there is no database but that behind the apps API."""
    environ = {"DATABASE_URL": "", "WINDLASS_STATE_DIR": "/nonexistent", "WINDLASS_API_KEY": key}
    return CliRunner().invoke(cli, [*words, "--url", api.url, "-o", "json", "-y"], env=environ)


def test_a_door_answers_whoever_administers(apps_api: AppsApi) -> None:
    api = apps_api.known_by(apps_identity="keys")
    _, admin, _ = keys.create(api.world, "admin", ["admin"])
    _, mine, _ = keys.create(api.world, "shop", ["apps"])

    def told(*words: str) -> Any:
        done = asked(api, *words, key=admin)
        assert done.exit_code == 0, (words, done.output)
        return json.loads(done.stdout) if done.stdout else None

    told("app", "create", "@acme/shop")
    told("app", "bind", "@acme/shop", "--key", "shop")
    told("app", "handler", "add", "@acme/shop", "v1", "http://127.0.0.1:1")
    told("app", "version", "notify", "@acme/shop", "v1", "active")
    told("app", "encryption", "@acme/shop", "--generate")
    assert told("app", "quota", "@acme/shop", "--max-runs", "7")["maxRuns"] == 7
    shown = told("app", "show", "@acme/shop")
    assert (shown["encrypted"], len(shown["bindings"]), shown["quotas"]["maxRuns"]) == (True, 1, 7)
    assert [one["podId"] for one in told("app", "handler", "list", "@acme/shop")] == ["cli"]
    assert [one["version"] for one in told("app", "version", "list", "@acme/shop")] == ["v1"]
    api.of("@acme/shop", mine).event("wrun_1", "run_created", specVersion=6, eventData=MADE)
    assert [run["runId"] for run in told("run", "list", "--source", "apps")] == ["wrun_1"]
    assert told("app", "run", "cancel", "@acme/shop", "wrun_1")["status"] == "cancelled"


def test_who_may_not_is_told_so(apps_api: AppsApi) -> None:
    api = apps_api.known_by(apps_identity="keys")
    applications.create(api.world, "shop")
    _, mine, _ = keys.create(api.world, "shop", ["apps"])
    applications.bind_key(api.world, "shop", "shop")

    assert asked(api, "app", "list").exit_code == 4
    assert asked(api, "app", "list", key=mine).exit_code == 4
    assert asked(api, "run", "list", "--source", "apps", key=mine).exit_code == 4
    assert asked(api, "app", "run", "list", "shop", key=mine).exit_code == 0
    assert asked(api, "app", "run", "get", "shop", "wrun_2", key=mine).exit_code == 3


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1:1", "http://[", "ftp://127.0.0.1"])
def test_a_url_behind_which_no_door_is_is_named(url: str) -> None:
    refused = CliRunner().invoke(cli, ["app", "list", "--url", url])

    assert refused.exit_code in (2, 8)
    assert "Error: " in refused.output and url in refused.output
