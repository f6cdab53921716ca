"""What operators do to runs: acknowledge, the same to many, export, a retry with another input."""

import json
import re

import pytest
from flask.testing import FlaskClient

from app.domain.schedules import CATCH_UP
from tests.console.conftest import Site
from tests.console.test_batches_and_apps import post, text, token

__all__ = ["token"]


def test_a_failure_is_acknowledged_where_it_is_seen(client: FlaskClient, site: Site, token: str) -> None:
    path = f"/runs/{site.planted.undone}"
    assert 'data-action="acknowledge"' in text(client, path)

    answer = post(client, f"{path}/acknowledge", token, reason="ticket 4711")

    assert answer.status_code == 303
    shown = text(client, path)
    assert "Acknowledged" in shown and 'data-action="acknowledge"' not in shown


@pytest.mark.parametrize("whole", [True, False])
def test_many_runs_are_counted_before_anything_is_done(
    client: FlaskClient, site: Site, token: str, *, whole: bool
) -> None:
    chosen = {"detail": "failed_held"} if whole else {"id": site.planted.held}

    page = post(client, "/runs/bulk", token, action="cancel", **chosen).get_data(as_text=True)

    assert "1 of 1 run would be cancelled" in page
    assert "Held" in text(client, f"/runs/{site.planted.held}")
    for name, value in chosen.items():
        assert f'name="{name}" value="{value}"' in page


def test_all_runs_of_a_filter_are_acknowledged_with_a_result_each(client: FlaskClient, token: str) -> None:
    page = post(client, "/runs/bulk", token, action="acknowledge", status="failed", sure="1", reason="seen")

    assert page.status_code == 200
    assert " done." in page.get_data(as_text=True)


def test_every_run_there_is_is_no_selection(client: FlaskClient, token: str) -> None:
    assert post(client, "/runs/bulk", token, action="cancel").status_code == 400


def test_a_run_and_a_list_are_exported_as_the_api_has_them(client: FlaskClient, site: Site) -> None:
    answer = client.get(f"/console/runs/{site.planted.held}/export")
    assert f"filename={site.planted.held}.json" in answer.headers["Content-Disposition"]
    assert (answer.json or {})["run"]["id"] == site.planted.held

    listed = json.loads(text(client, "/runs.json?detail=failed_held"))
    assert [run["id"] for run in listed] == [site.planted.held]


def test_a_retry_says_what_its_input_changes(client: FlaskClient, site: Site) -> None:
    path = f"/runs/{site.planted.held}/retry"
    assert "The input is as before." in text(client, path)

    page = text(client, f"{path}?reason=&image.url=http%3A%2F%2Fimages.example%2Fother.qcow2")

    assert "<ins>http://images.example/other.qcow2</ins>" in page and "<del>" in page


def test_the_plan_of_a_run_is_drawn_as_a_graph(client: FlaskClient, site: Site) -> None:
    page = text(client, f"/runs/{site.planted.undone}?view=graph")

    assert page.count('<rect class="node') > 3
    assert '<rect class="node undo"' in page


def test_filters_are_saved_under_a_name_and_forgotten(client: FlaskClient, token: str) -> None:
    assert "Save view" in text(client, "/runs?status=failed")

    answer = post(client, "/views", token, name="red ones", query="status=failed")

    assert answer.headers["Location"] == "/console/runs?status=failed"
    page = text(client, "/runs?status=failed")
    assert "red ones" in page and "Save view" not in page
    view = page.partition("/console/views/")[2].partition("/")[0]
    assert post(client, f"/views/{view}/delete", token).status_code == 303
    assert "red ones" not in text(client, "/runs")


@pytest.mark.parametrize("word", CATCH_UP)
def test_a_schedule_says_in_words_what_is_made_up_for(client: FlaskClient, token: str, word: str) -> None:
    given = {"name": f"by {word}", "type": "sync.server-state", "cron": "0 3 * * *", "catchUp": word}
    post(client, "/do/schedule-create", token, key=word, **given)

    (path,) = re.findall(rf'href="/console(/schedules/\w+)">by {word}<', text(client, "/schedules"))
    assert f"<dd>{word}</dd>" not in text(client, path)


def test_a_cookie_of_another_installation_keeps_nobody_out_of_a_keyless_one(
    client: FlaskClient, site: Site
) -> None:
    stranger = site.app.test_client()
    stranger.environ_base.update(client.environ_base)
    stranger.set_cookie("windlass-session", "wls_of-another-port", domain="localhost")

    answer = stranger.get("/console/runs")

    assert (answer.status_code, "Log out" in answer.text) == (200, False)
