"""Who is let in, and what a token is worth."""

from typing import Any

import httpx
import pytest

from app.lab.kube import Kube

SECRETS = "/api/v1/namespaces/default/secrets"


def answer(kube: Kube, path: str = SECRETS, token: str | None = None, **how: Any) -> httpx.Response:
    """Ask the server; without a token nobody in particular."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    method = "POST" if "json" in how else "GET"
    return httpx.request(
        method, f"{kube.server().url}{path}", headers=headers, verify=False, trust_env=False, **how
    )


def test_only_a_known_token_is_let_in(kube: Kube) -> None:
    assert answer(kube, token=kube.token).status_code == 200
    assert (answer(kube, token="wrong").status_code, answer(kube, token="wrong").json()["reason"]) == (
        401,
        "Unauthorized",
    )
    assert 'User "system:anonymous" cannot list' in answer(kube).json()["message"]


@pytest.mark.parametrize("path", ["/version", "/healthz", "/readyz", "/livez"])
def test_anybody_may_ask_for_its_health(kube: Kube, path: str) -> None:
    assert answer(kube, path).status_code == 200


def test_a_token_that_only_reads_does_not_write(kube: Kube, control: httpx.Client) -> None:
    control.post("/tokens", json={"token": "reader", "user": "viewer", "readsOnly": True}).raise_for_status()
    assert answer(kube, token="reader").status_code == 200
    refused = answer(kube, token="reader", json={"metadata": {"name": "s"}})
    assert (refused.status_code, refused.json()["reason"]) == (403, "Forbidden")
    assert 'User "viewer" cannot create resource "secrets"' in refused.json()["message"]


def test_a_token_expires(kube: Kube, control: httpx.Client) -> None:
    control.post("/tokens", json={"token": "short", "expiresIn": 3600}).raise_for_status()
    assert answer(kube, token="short").status_code == 200
    control.post("/tokens", json={"token": "short", "expiresIn": -1}).raise_for_status()
    assert answer(kube, token="short").status_code == 401


def test_a_token_is_taken_back(kube: Kube, control: httpx.Client) -> None:
    control.post("/tokens", json={"token": "other"}).raise_for_status()
    control.request("DELETE", "/tokens", json={"token": "other"}).raise_for_status()
    assert answer(kube, token="other").status_code == 401


def test_a_review_tells_whose_token_it_is(kube: Kube, control: httpx.Client) -> None:
    control.post("/tokens", json={"token": "t", "user": "jane", "groups": ["operators"]}).raise_for_status()
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    told = answer(kube, path, kube.token, json={"spec": {"token": "t"}}).json()["status"]
    assert told["authenticated"] and told["user"]["username"] == "jane"
    assert "operators" in told["user"]["groups"]
    unknown = answer(kube, path, kube.token, json={"spec": {"token": "?"}}).json()["status"]
    assert unknown["authenticated"] is False
