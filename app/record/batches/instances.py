"""The inventory: the servers that batches made, and what they installed on them.

A row is written before the order, so that an effect whose answer was lost is in the inventory too. Whoever
changes a row holds the lock of the server's name, or works on an item whose run does.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, insert, select, update

from app.domain.ids import new_id
from app.domain.rows.batches import InstallationRow, InstanceRow
from app.record.session import Tx
from app.record.tables import installation, instance

GONE = "gone"


def live(tx: Tx, provider: str, account: str, name: str) -> InstanceRow | None:
    """The server of this name, unless it is gone."""
    where = (
        instance.c.tenant_id == tx.tenant,
        instance.c.provider == provider,
        instance.c.account == account,
        instance.c.name == name,
        instance.c.state != GONE,
    )
    return tx.row(select(instance).where(*where), of=InstanceRow)


def read(tx: Tx, id_: str) -> InstanceRow | None:
    """A server by its id here."""
    where = (instance.c.tenant_id == tx.tenant, instance.c.id == id_)
    return tx.row(select(instance).where(*where), of=InstanceRow)


def incarnations(tx: Tx, lineage: str, operation: str, name: str) -> int:
    """How often an item was begun anew, after what it had made was gone."""
    where = (
        instance.c.tenant_id == tx.tenant,
        instance.c.lineage == lineage,
        instance.c.operation == operation,
        instance.c.name == name,
    )
    found: int | None = tx.value(select(func.max(instance.c.incarnation)).where(*where))
    return found or 0


def intend(tx: Tx, row: InstanceRow) -> InstanceRow:
    """Note a server that is about to be ordered."""
    made: InstanceRow = {"id": new_id("ins"), "created_at": tx.now, "updated_at": tx.now, **row}
    tx.execute(insert(instance), {"tenant_id": tx.tenant, **made})
    return made


def change(tx: Tx, id_: str, changes: InstanceRow) -> None:
    """Change what is known of a server."""
    where = (instance.c.tenant_id == tx.tenant, instance.c.id == id_)
    tx.execute(update(instance).where(*where).values(updated_at=tx.now, **changes))


def made_by(tx: Tx, lineage: str) -> list[InstanceRow]:
    """What a batch and its retries made, or may have made, and that is not gone; newest first."""
    where = (instance.c.tenant_id == tx.tenant, instance.c.lineage == lineage, instance.c.state != GONE)
    newest = (instance.c.created_at.desc(), instance.c.id.desc())
    return tx.rows(select(instance).where(*where).order_by(*newest), of=InstanceRow)


def at(tx: Tx, provider: str, names: Sequence[str]) -> list[InstanceRow]:
    """The servers of these names at a provider that are not gone."""
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


def installed(tx: Tx, instance_id: str, taskserv: str) -> InstallationRow | None:
    """A taskserv on a server, unless it is gone."""
    where = (
        installation.c.tenant_id == tx.tenant,
        installation.c.instance == instance_id,
        installation.c.taskserv == taskserv,
        installation.c.state != GONE,
    )
    return tx.row(select(installation).where(*where), of=InstallationRow)


def read_installation(tx: Tx, id_: str) -> InstallationRow | None:
    """An installation by its id."""
    where = (installation.c.tenant_id == tx.tenant, installation.c.id == id_)
    return tx.row(select(installation).where(*where), of=InstallationRow)


def installations_begun(tx: Tx, lineage: str, operation: str, instance_id: str, taskserv: str) -> int:
    """How often an item was begun anew, after what it had installed was gone."""
    where = (
        installation.c.tenant_id == tx.tenant,
        installation.c.lineage == lineage,
        installation.c.operation == operation,
        installation.c.instance == instance_id,
        installation.c.taskserv == taskserv,
    )
    found: int | None = tx.value(select(func.max(installation.c.incarnation)).where(*where))
    return found or 0


def intend_installation(tx: Tx, row: InstallationRow) -> InstallationRow:
    """Note a taskserv that is about to be installed."""
    made: InstallationRow = {"id": new_id("inl"), "created_at": tx.now, "updated_at": tx.now, **row}
    tx.execute(insert(installation), {"tenant_id": tx.tenant, **made})
    return made


def change_installation(tx: Tx, id_: str, changes: InstallationRow) -> None:
    """Change what is known of an installation."""
    where = (installation.c.tenant_id == tx.tenant, installation.c.id == id_)
    tx.execute(update(installation).where(*where).values(updated_at=tx.now, **changes))


def forget_installations(tx: Tx, instance_id: str) -> None:
    """What was installed on a server is gone with it."""
    where = (installation.c.tenant_id == tx.tenant, installation.c.instance == instance_id)
    tx.execute(update(installation).where(*where).values(state=GONE, updated_at=tx.now))


def installed_by(tx: Tx, lineage: str) -> list[dict[str, Any]]:
    """What a batch and its retries installed, or may have, newest first, with the server it is on."""
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
