"""The scope of a question: one application of one tenant. No statement about apps is built without one."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, and_

from app.record.session import Tx


@dataclass(frozen=True, kw_only=True)
class Scope:
    """One application; rows of another one are not found, whatever id is asked for."""

    tenant: str
    app: str

    @classmethod
    def of(cls, tx: Tx, app: str) -> "Scope":
        """The scope of an application within the tenant of a transaction."""
        return cls(tenant=tx.tenant, app=app)

    def owns(self, table: Table) -> ColumnElement[bool]:
        """The condition that a row belongs to this application."""
        # The one place that keeps applications apart; ids are chosen by clients and may be the same (chaos:
        # "runs of other applications are found").
        return and_(table.c.tenant_id == self.tenant, table.c.app == self.app)

    @property
    def key(self) -> dict[str, Any]:
        """The columns that a new row begins with."""
        return {"tenant_id": self.tenant, "app": self.app}
