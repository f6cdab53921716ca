"""Whose certificates a client loads; it takes longer than many a request."""

import ssl
from typing import Any

import pytest

from windlass import Client


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """How the usual certificates were loaded, each time."""
    noted: list[dict[str, Any]] = []
    usual = ssl.create_default_context

    def noting(**given: Any) -> ssl.SSLContext:
        noted.append(given)
        return usual(**given)

    monkeypatch.setattr(ssl, "create_default_context", noting)
    return noted


def test_a_plain_address_of_this_machine_needs_none(loaded: list[dict[str, Any]]) -> None:
    Client("http://127.0.0.1:8080").close()
    assert not loaded


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:8080", "https://service.example", "http://service.example"]
)
def test_everything_else_is_met_with_the_usual_ones(loaded: list[dict[str, Any]], url: str) -> None:
    Client(url).close()
    assert loaded
