"""A look claims for many applications: what it claimed is delivered, whatever happens to the next one."""

from typing import Any

import pytest

from app.domain.errors import Unavailable
from app.record.apps import message_statements, messages
from app.record.apps.applications import insert
from app.record.apps.messages import NewMessage
from app.record.apps.scope import Scope
from app.record.session import Database, Tx
from app.services.apps import deliver

APPS = ("first", "second")


def filled(db: Database) -> Database:
    def work(tx: Tx) -> None:
        for app in APPS:
            insert(tx, app)
            messages.add(tx, Scope.of(tx, app), NewMessage(queue="__wkf_workflow_w", payload=b"{}"))

    db.write(work)
    return db


def claimed(db: Database) -> tuple[list[str], bool]:
    found, full = deliver.claim(db, APPS, places=8, held={}, lease_ms=60_000)
    return [one.app for one in found], full


def test_each_application_has_its_share(db: Database) -> None:
    assert claimed(filled(db)) == (["first", "second"], False)


def test_what_was_claimed_is_delivered_whatever_comes_next(
    postgres_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    away(monkeypatch, "second")

    assert claimed(filled(postgres_db)) == (["first"], True)


def test_a_look_that_claims_nothing_fails(postgres_db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    away(monkeypatch, "first")

    with pytest.raises(Unavailable):
        claimed(filled(postgres_db))


def away(monkeypatch: pytest.MonkeyPatch, app: str) -> None:
    """The database gives no answer for one application."""
    real = message_statements.claim

    def claim(db: Database, asked: str, most: int, lease_ms: int) -> Any:
        if asked == app:
            raise Unavailable("away")
        return real(db, asked, most, lease_ms)

    monkeypatch.setattr(message_statements, "claim", claim)
