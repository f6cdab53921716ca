"""What users of the Workflow DevKit do, with its real SDKs, unchanged."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.devkit import App
from tests.support.servers import until

pytestmark = [pytest.mark.sdk, pytest.mark.sqlite]


def token(app: App, name: str) -> str:
    """A token that no other story uses; a slash in it needs no help of the client."""
    return f"{name}/sdk{app.sdk}:1"


def test_steps_run_one_after_the_other(app: App) -> None:
    run_id = app.start("chain", 20)

    assert app.result(run_id) == {"value": 210}
    assert app.events(run_id).count("step_completed") == 20


def test_steps_run_beside_each_other(app: App) -> None:
    assert app.run("fan", 8) == 36


def test_a_sleep_is_never_shorter_than_asked(app: App) -> None:
    assert app.run("nap") >= 2000


def test_a_step_is_tried_again(app: App) -> None:
    run_id = app.start("retried")

    assert app.result(run_id)["value"] >= 3
    assert app.events(run_id).count("step_retrying") >= 2


def test_a_failure_is_caught_by_the_workflow(app: App) -> None:
    assert "never" in app.run("caught")


def test_a_failure_ends_the_run(app: App) -> None:
    run_id = app.start("fails")

    assert "never" in app.result(run_id)["error"]
    assert app.events(run_id)[-1] == "run_failed"


def test_a_hook_is_resumed_and_its_token_is_free_again(app: App) -> None:
    held = token(app, "approval")
    for said in ("yes", {"no": [1, None]}):
        run_id = app.start("approval", held)
        app.resume(held, said)
        assert app.result(run_id) == {"value": said}


def test_a_hook_hears_more_than_once(app: App) -> None:
    held = token(app, "thrice")
    run_id = app.start("thrice", held)

    for number in range(3):
        app.resume(held, number)

    assert app.result(run_id) == {"value": [0, 1, 2]}


def test_a_token_is_held_by_one_run(app: App) -> None:
    held = token(app, "conflicted")
    first = app.start("approval", held)
    until(lambda: app.hook(held), why="the first run holds the token")

    assert "Conflict" in app.run("conflicted", held)
    app.resume(held, "mine")
    assert app.result(first) == {"value": "mine"}


def test_a_webhook_is_called(app: App) -> None:
    run_id = app.start("called")
    (webhook,) = until(lambda: app.hooks(run_id), why="the run has a webhook")

    assert app.call(webhook["token"], "a letter") == 202

    assert app.result(run_id) == {"value": "a letter"}
    assert webhook["isWebhook"]


def test_a_sleep_may_be_over_before_a_hook_hears(app: App) -> None:
    assert app.run("race", token(app, "race")) == "late"


def test_a_run_is_cancelled(app: App) -> None:
    held = token(app, "cancelled")
    run_id = app.start("approval", held)
    until(lambda: app.hook(held), why="the run waits")

    app.act("cancel", runId=run_id)

    assert app.act("status", runId=run_id) == "cancelled"
    assert app.hook(held) is None


def test_a_run_is_replayed(app: App) -> None:
    again = app.ask("POST", f"/runs/{app.start('chain', 3)}/replay")

    assert app.result(again["runId"]) == {"value": 6}


def test_a_stream_is_read_while_it_is_written(app: App) -> None:
    run_id = app.start("written")

    assert app.act("read", runId=run_id) == ["one", "two", "three"]
    assert app.result(run_id) == {"value": "written"}


@pytest.mark.parametrize("app", ["5", pytest.param("4", marks=pytest.mark.nightly)], indirect=True)
def test_forty_runs_at_once(app: App) -> None:
    with ThreadPoolExecutor(40) as many:
        results = list(many.map(lambda count: app.run("chain", count), [3] * 40))

    assert results == [6] * 40
