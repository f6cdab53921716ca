"""Batches and applications on their pages: what stands still, and the button that moves it."""

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.console.conftest import Site
from tests.console.planted_others import APP, RUN
from tests.console.test_pages import SAME_SITE, token_of


@pytest.fixture
def token(client: FlaskClient) -> str:
    """The token of forms."""
    return token_of(client.get("/console/runs").get_data(as_text=True))


def post(client: FlaskClient, path: str, token: str, **form: str) -> TestResponse:
    """Send a form of the console."""
    return client.post(f"/console{path}", data={"csrf": token, **form}, headers=SAME_SITE)


def text(client: FlaskClient, path: str) -> str:
    """A page."""
    answer = client.get(f"/console{path}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_a_batch_says_what_failed_and_draws_what_needs_what(client: FlaskClient, site: Site) -> None:
    page = text(client, f"/batches/{site.planted.batch}")

    assert 'class="answer fail"' in page and "db" in page
    assert page.count('<rect class="node') == 4
    assert page.count('<path class="edge') == 4
    assert 'class="edge soft"' in page


def test_an_approval_is_given_where_it_is_missing(client: FlaskClient, site: Site, token: str) -> None:
    path = f"/batches/{site.planted.awaits}"
    assert "Approve last" in text(client, path)
    assert f'action="/console{path}/approve/last"' in text(client, "/attention")

    answer = post(client, f"{path}/approve/last", token)

    assert (answer.status_code, answer.headers["Location"]) == (303, f"/console{path}")
    assert "Approve last" not in text(client, path)
    assert "/approve/last" not in text(client, "/attention")


def test_a_rollback_shows_what_it_would_undo(client: FlaskClient, site: Site) -> None:
    page = text(client, f"/batches/{site.planted.batch}/rollback")

    assert "web-1" in page and "late-1" not in page


def test_a_definition_is_planned_and_refused_with_its_code(client: FlaskClient, token: str) -> None:
    definition = '{"name": "x", "operations": []}'
    refused = post(client, "/batches/new", token, definition=definition, plan="1")

    assert refused.status_code == 422
    assert "INVALID_DEFINITION" in refused.get_data(as_text=True)


def test_an_application_shows_runs_queue_and_dead_letters(client: FlaskClient) -> None:
    page = text(client, f"/apps/one?app={APP}")

    assert f"run={RUN}" in page
    assert "Deliver again" in page
    assert "Nothing waits" not in page


def test_a_dead_letter_is_delivered_again(client: FlaskClient, site: Site, token: str) -> None:
    page = text(client, f"/apps/one?app={APP}")
    message = page.partition('name="message" value="')[2].partition('"')[0]

    answer = post(client, "/apps/dead-letters/retry", token, app=APP, message=message)

    assert answer.status_code == 303
    assert "Deliver again" not in text(client, f"/apps/one?app={APP}")


def test_a_run_of_an_application_is_shown_with_its_steps_and_cancelled(
    client: FlaskClient, token: str
) -> None:
    path = f"/apps/run?app={APP}&run={RUN}"
    assert "charge" in text(client, path) and "step_started" in text(client, path)

    answer = post(client, "/apps/run/cancel", token, app=APP, run=RUN)

    assert answer.status_code == 303
    assert "Cancelled" in text(client, path)


def test_the_run_of_a_batch_offers_no_retry_of_its_own(client: FlaskClient, site: Site) -> None:
    path = f"/v1/workflows/runs/{site.planted.batch}"

    shown = client.get(path).get_json()["data"]

    assert (shown["kind"], shown["detail"]) == ("batch", "failed")
    assert client.post(f"{path}/retry", json={}).status_code == 409
    assert "retry" not in shown["allowedActions"]
    counted = client.post("/v1/workflows/runs:retry?dryRun=true", json={"ids": [site.planted.batch]})
    assert counted.get_json()["data"]["possible"] == 0
