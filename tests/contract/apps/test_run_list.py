"""`windlass run list --source apps`: runs of all applications beside those of the service."""

import json
from typing import Any

from click.testing import CliRunner, Result

from app.cli.main import cli
from app.services.apps import applications
from tests.support.apps import Door

MADE = {"deploymentId": "v1", "workflowName": "w"}


def listed(door: Door, *words: str) -> Result:
    """The command on the door's database."""
    environ = {"DATABASE_URL": str(door.world.settings.database), "WINDLASS_STATE_DIR": "/nonexistent"}
    return CliRunner().invoke(cli, ["run", "list", "--source", "apps", *words], env=environ)


def test_runs_of_all_applications_are_listed_newest_first(apps_door: Door) -> None:
    door = apps_door.known_by(apps_identity="ecs")
    for number, app in enumerate(("shop", "desk", "shop")):
        applications.create(door.world, app)
        assert (
            door.of(app).event(f"wrun_{number}", "run_created", specVersion=6, eventData=MADE).status == 200
        )
    door.of("shop").event("wrun_0", "run_cancelled", specVersion=6)

    def shown(*words: str) -> list[Any]:
        return [(run["app"], run["runId"]) for run in json.loads(listed(door, "-o", "json", *words).stdout)]

    assert shown() == [("shop", "wrun_2"), ("desk", "wrun_1"), ("shop", "wrun_0")]
    assert shown("--status", "cancelled", "--status", "failed") == [("shop", "wrun_0")]
    assert shown("--limit", "1") == [("shop", "wrun_2")]


def test_what_does_not_narrow_runs_of_apps_is_refused(apps_door: Door) -> None:
    for words in (("text",), ("--type", "x"), ("--status", "blocked"), ("--page", "2")):
        refused = listed(apps_door, *words)
        assert (refused.exit_code, refused.stdout) == (2, ""), words
