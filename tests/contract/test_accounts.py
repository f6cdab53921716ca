"""Accounts at providers: known, changed, checked, forgotten, and their credentials shown nowhere."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.auth.seal import binding
from app.lab.clouds import Clouds
from app.record import tables
from app.services import secrets
from app.services.context import AppContext
from windlass.decode import camel

PATH = "/v1/providers/accounts"
SECRET = "only-workers-may-know"
AWS: dict[str, Any] = {
    "name": "aws",
    "provider": "aws",
    "region": "eu-central-1",
    "plans": {"2xCPU-4 GB": "t3.medium"},
    "credentials": {"accessKeyId": "AKIA1", "secretAccessKey": SECRET},
}


@pytest.fixture
def lab() -> Iterator[Clouds]:
    """Both doubled clouds."""
    with Clouds() as lab:
        yield lab


def made(client: FlaskClient, body: dict[str, Any] = AWS) -> dict[str, Any]:
    """An account that was just created."""
    answer = client.post(PATH, json=body)
    assert answer.status_code == 201, answer.get_json()
    account: dict[str, Any] = answer.get_json()["data"]
    return account


def of_lab(lab: Clouds, name: str, **changes: Any) -> dict[str, Any]:
    """The body of one of the lab's accounts."""
    account = next(one for one in lab.accounts() if one["name"] == name)
    secret = {camel(member): text for member, text in account["credentials"].items()}
    return {**account, "credentials": secret, **changes}


def opened(world: AppContext, account_id: str) -> dict[str, Any]:
    """What is sealed of an account, as a worker would read it."""
    row = world.db.read(lambda tx: tx.row(select(tables.account))) or {}
    bound = binding(tenant_id=world.db.tenant, machine_id=account_id, version=row["credential_version"])
    return world.opener.open(row["credential"], bound)


def test_an_account_is_known_from_then_on_by_id_and_by_name(client: FlaskClient, world: AppContext) -> None:
    account = made(client)
    assert (account["sshUser"], account["sshPort"], account["callsAtOnce"]) == ("root", 22, 4)
    for name in (account["id"], "aws"):
        assert client.get(f"{PATH}/{name}").get_json()["data"] == account
    assert opened(world, account["id"]) == {"access_key_id": "AKIA1", "secret_access_key": SECRET}


def test_its_credentials_are_shown_and_kept_nowhere(client: FlaskClient, world: AppContext) -> None:
    account = made(client)
    client.patch(f"{PATH}/aws", json={"credentials": {**AWS["credentials"], "accessKeyId": "AKIA2"}})
    shown = [
        client.get(path).get_data(as_text=True) for path in (PATH, f"{PATH}/{account['id']}", "/v1/audit")
    ]
    kept = world.db.read(lambda tx: [str(tx.rows(select(each))) for each in tables.metadata.tables.values()])
    assert not [text for text in [*shown, *kept] if SECRET in text]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"provider": "gcp"}, "provider"),
        ({"credentials": {"username": "a", "password": "b"}}, "credentials"),
        ({"credentials": {"accessKeyId": "a"}}, "credentials"),
        ({"credentials": {"secret": "a"}}, "credentials.secret"),
        ({"endpoint": "ftp://nowhere"}, "endpoint"),
        ({"callsASecond": 0}, "callsASecond"),
        ({"zones": {"here": 7}}, "zones.here"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_input_names_the_field_and_stores_nothing(
    client: FlaskClient, changes: dict[str, Any], field: str
) -> None:
    answer = client.post(PATH, json={**AWS, **changes})
    assert answer.status_code == 400
    assert any(name.startswith(field) for name in answer.get_json()["error"]["details"]["fields"])
    assert SECRET not in answer.get_data(as_text=True)
    assert client.get(PATH).get_json()["data"] == []


def test_a_name_is_taken_once(client: FlaskClient) -> None:
    made(client)
    assert client.post(PATH, json=AWS).status_code == 409


def test_a_change_keeps_the_rest_and_respects_if_match(client: FlaskClient) -> None:
    account = made(client)
    etag = client.get(f"{PATH}/aws").headers["ETag"]
    changed = client.patch(f"{PATH}/aws", json={"callsAtOnce": 8}, headers={"If-Match": etag})
    assert changed.get_json()["data"]["callsAtOnce"] == 8
    assert changed.get_json()["data"]["plans"] == account["plans"]
    late = client.patch(f"{PATH}/aws", json={"callsAtOnce": 9}, headers={"If-Match": etag})
    assert late.status_code == 412


def test_accounts_are_listed_by_provider_and_forgotten(client: FlaskClient) -> None:
    account = made(client)
    made(client, {"name": "here", "provider": "local"})
    assert [one["name"] for one in client.get(f"{PATH}?provider=aws").get_json()["data"]] == ["aws"]
    assert client.delete(f"{PATH}/{account['id']}").status_code == 204
    assert client.get(f"{PATH}/{account['id']}").status_code == 404


@pytest.mark.parametrize("name", ["upcloud", "aws"])
def test_a_check_tells_who_we_are_what_is_on_offer_and_the_clocks(
    client: FlaskClient, lab: Clouds, name: str
) -> None:
    made(client, of_lab(lab, name))
    told = client.post(f"{PATH}/{name}:check").get_json()["data"]
    assert told["ok"] and told["name"] and told["plans"] and told["zones"]
    assert abs(told["clockSkewMs"]) < 5_000


def test_a_check_of_wrong_credentials_says_so(client: FlaskClient, lab: Clouds) -> None:
    made(client, of_lab(lab, "aws", credentials=AWS["credentials"]))
    answer = client.post(f"{PATH}/aws:check")
    told = answer.get_json()["data"]
    assert (told["ok"], told["error"]["code"]) == (False, "CLOUD_AUTH_FAILED")
    assert SECRET not in answer.get_data(as_text=True)


def test_a_rotation_seals_accounts_anew(client: FlaskClient, world: AppContext) -> None:
    account = made(client)
    before = world.db.read(lambda tx: tx.value(select(tables.account.c.credential)))
    assert secrets.rotate(world) == 2  # The credentials and the key.
    after = world.db.read(lambda tx: tx.value(select(tables.account.c.credential)))
    assert before != after and opened(world, account["id"])["secret_access_key"] == SECRET
