"""Queries for many effects: those of a batch, and the servers with given names (see `effects`)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update

from app.domain.rows.batches import InstanceRow
from app.record.batches.effects import GONE
from app.record.session import Tx
from app.record.tables import installation, instance


def made_by(tx: Tx, lineage: str) -> list[InstanceRow]:
    """The servers that a batch and its retries created or may have created, if not gone; newest first."""
    where = (instance.c.tenant_id == tx.tenant, instance.c.lineage == lineage, instance.c.state != GONE)
    newest = (instance.c.created_at.desc(), instance.c.id.desc())
    return tx.rows(select(instance).where(*where).order_by(*newest), of=InstanceRow)


def at(tx: Tx, provider: str, names: Sequence[str]) -> list[InstanceRow]:
    """The servers with these names at a provider, if not gone."""
    found: list[InstanceRow] = []
    for first in range(0, len(names), 1_000):
        where = (
            instance.c.tenant_id == tx.tenant,
            instance.c.provider == provider,
            instance.c.name.in_(names[first : first + 1_000]),
            instance.c.state != GONE,
        )
        found += tx.rows(select(instance).where(*where), of=InstanceRow)
    return found


def forget_installations(tx: Tx, instance_id: str) -> None:
    """Mark the installations of a server as gone, together with it."""
    where = (installation.c.tenant_id == tx.tenant, installation.c.instance == instance_id)
    tx.execute(update(installation).where(*where).values(state=GONE, updated_at=tx.now))


def installed_by(tx: Tx, lineage: str) -> list[dict[str, Any]]:
    """The installations of a batch and its retries, certain or possible, newest first, with their servers."""
    where = (
        installation.c.tenant_id == tx.tenant,
        installation.c.lineage == lineage,
        installation.c.state != GONE,
    )
    on = (instance.c.tenant_id == installation.c.tenant_id) & (instance.c.id == installation.c.instance)
    server = (
        instance.c.name.label("server"),
        instance.c.provider,
        instance.c.account,
        instance.c.lineage.label("server_lineage"),
    )
    newest = (installation.c.created_at.desc(), installation.c.id.desc())
    return tx.rows(select(installation, *server).join(instance, on).where(*where).order_by(*newest))
