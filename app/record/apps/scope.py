"""The scope of a query: one application of one tenant. Every statement about apps has one."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, and_

from app.record.session import Tx


@dataclass(frozen=True, kw_only=True)
class Scope:
    """One application; rows of others are not found, whatever id is given."""

    tenant: str
    app: str

    @classmethod
    def of(cls, tx: Tx, app: str) -> "Scope":
        """The scope of an application within the tenant of a transaction."""
        return cls(tenant=tx.tenant, app=app)

    def owns(self, table: Table) -> ColumnElement[bool]:
        """The condition that a row belongs to this application."""
        # This alone separates applications: clients choose ids, which may be equal in two applications
        # (chaos: "runs of other applications are found").
        return and_(table.c.tenant_id == self.tenant, table.c.app == self.app)

    @property
    def key(self) -> dict[str, Any]:
        """The key columns that a new row needs."""
        return {"tenant_id": self.tenant, "app": self.app}
