"""Webhooks over REST: endpoints, secrets, deliveries (contracts/runs.rst#webhooks)."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.contract.plant import UNKNOWN, ids

PATH = "/v1/webhooks"
ENDPOINT = {"url": "https://93.184.216.34/windlass", "events": ["run.*"]}


def make(client: FlaskClient) -> dict[str, Any]:
    """An endpoint with its secret."""
    answer = client.post(PATH, json=ENDPOINT)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    data: dict[str, Any] = answer.get_json()["data"]
    return data


def test_the_secret_is_shown_once(client: FlaskClient) -> None:
    made = make(client)
    assert made["secret"].startswith("whsec_")
    shown = client.get(f"{PATH}/{made['id']}").get_data(as_text=True) + client.get(PATH).get_data(
        as_text=True
    )
    assert made["secret"] not in shown
    assert "secret" not in client.get(f"{PATH}/{made['id']}").get_json()["data"]


def test_a_repeated_request_does_not_show_the_secret_again(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "k"}
    first = client.post(PATH, json=ENDPOINT, headers=headers).get_json()["data"]
    again = client.post(PATH, json=ENDPOINT, headers=headers).get_json()["data"]
    assert again == {**first, "secret": "[redacted]"}


def test_rotation_gives_a_new_secret_and_an_overlap(client: FlaskClient) -> None:
    made = make(client)
    rotated = client.post(f"{PATH}/{made['id']}/rotate").get_json()["data"]
    assert rotated["secret"].startswith("whsec_") and rotated["secret"] != made["secret"]
    assert rotated["oldSecretUntil"].endswith("Z")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "http://93.184.216.34/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"events": ["no.such"]}, "events"),
        ({"events": []}, "events"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_wrong_endpoint_names_the_field(client: FlaskClient, changes: dict[str, Any], field: str) -> None:
    answer = client.post(PATH, json={**ENDPOINT, **changes})
    assert answer.status_code == 400
    assert field in answer.get_json()["error"]["details"]["fields"]


def test_an_endpoint_changes_under_its_version_and_goes(client: FlaskClient) -> None:
    path = f"{PATH}/{make(client)['id']}"
    tag = client.get(path).headers["ETag"]
    changed = client.patch(path, json={"active": False}, headers={"If-Match": tag})
    assert (changed.status_code, changed.get_json()["data"]["active"]) == (200, False)
    assert client.patch(path, json={"active": True}, headers={"If-Match": tag}).status_code == 412
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_a_test_event_is_a_delivery_that_can_be_sent_again(client: FlaskClient, published: list[Any]) -> None:
    path = f"{PATH}/{make(client)['id']}"
    sent = client.post(f"{path}/test")
    delivery = sent.get_json()["data"]
    assert (sent.status_code, delivery["status"]) == (202, "pending")
    assert ids(client.get(f"{path}/deliveries")) == [delivery["id"]]
    assert ids(client.get(f"{path}/deliveries?status=dead")) == []
    assert client.post(f"{path}/deliveries/{delivery['id']}/redeliver").status_code == 202
    assert published


def test_deliveries_of_no_endpoint_are_404(client: FlaskClient) -> None:
    path = f"{PATH}/whk_{UNKNOWN}"
    assert client.get(f"{path}/deliveries").status_code == 404
    assert client.post(f"{path}/test").status_code == 404
    assert client.post(f"{path}/rotate").status_code == 404


def test_a_delivery_of_another_endpoint_is_404(client: FlaskClient) -> None:
    path = f"{PATH}/{make(client)['id']}"
    assert client.post(f"{path}/deliveries/dlv_{UNKNOWN}/redeliver").status_code == 404
