"""Heartbeats of components, and small facts about the installation."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select, tuple_

from app.record.session import Tx
from app.record.tables import beat, meta


def note(tx: Tx, kind: str, instance: str, facts: Mapping[str, Any]) -> None:
    """A component says that it lives."""
    row = {"kind": kind, "instance": instance, "facts": dict(facts), "at": tx.now, "started_at": tx.now}
    statement = tx.insert(beat).values(tenant_id=tx.tenant, **row)
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "kind", "instance"], set_={"facts": dict(facts), "at": tx.now}
        )
    )


def all_beats(tx: Tx) -> list[dict[str, Any]]:
    """Every component, the one heard of last first."""
    return tx.rows(select(beat).where(beat.c.tenant_id == tx.tenant).order_by(beat.c.at.desc()))


def live(tx: Tx, kind: str, since: int) -> list[dict[str, Any]]:
    """The components of a kind that were heard of since this time."""
    where = (beat.c.tenant_id == tx.tenant, beat.c.kind == kind, beat.c.at > since)
    return tx.rows(select(beat).where(*where))


def forget(tx: Tx, before: int, limit: int = 1_000) -> int:
    """Forget components that were silent since before this time, in one small batch; returns how many."""
    old = (beat.c.tenant_id == tx.tenant, beat.c.at < before)
    found = select(beat.c.kind, beat.c.instance).where(*old).limit(limit).with_for_update(skip_locked=True)
    keys = [(row["kind"], row["instance"]) for row in tx.rows(found)]
    chosen = tuple_(beat.c.kind, beat.c.instance).in_(keys)
    tx.execute(delete(beat).where(beat.c.tenant_id == tx.tenant, chosen))
    return len(keys)


def fact(tx: Tx, key: str) -> dict[str, Any] | None:
    """A fact about the installation: its value and when it was noted."""
    return tx.row(select(meta).where(meta.c.tenant_id == tx.tenant, meta.c.key == key))


def first_fact(tx: Tx, key: str, value: str) -> str:
    """The value of a fact that is noted once and never changes: the given one if it is the first."""
    statement = tx.insert(meta).values(tenant_id=tx.tenant, key=key, value=value, at=tx.now)
    tx.execute(statement.on_conflict_do_nothing())
    # Read back: of two processes that note it first at the same moment both use the value of one.
    return str(tx.value(select(meta.c.value).where(meta.c.tenant_id == tx.tenant, meta.c.key == key)))


def facts_under(tx: Tx, prefix: str) -> dict[str, str]:
    """All facts whose key begins with a text, by what comes after it."""
    where = (meta.c.tenant_id == tx.tenant, meta.c.key.startswith(prefix, autoescape=True))
    return {row["key"][len(prefix) :]: str(row["value"]) for row in tx.rows(select(meta).where(*where))}


def drop_fact(tx: Tx, key: str) -> None:
    """Note it no longer."""
    tx.execute(delete(meta).where(meta.c.tenant_id == tx.tenant, meta.c.key == key))


def set_fact(tx: Tx, key: str, value: str) -> None:
    """Note a fact about the installation."""
    statement = tx.insert(meta).values(tenant_id=tx.tenant, key=key, value=value, at=tx.now)
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "key"], set_={"value": value, "at": tx.now}
        )
    )
