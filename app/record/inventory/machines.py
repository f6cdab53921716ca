"""Which server a machine is, by the identifiers that its maker gave it: one machine is one server."""

from collections.abc import Collection

from sqlalchemy import delete, select

from app.record.session import Tx
from app.record.tables import machine_claim as claim
from app.record.tables import server


def claim_machine(tx: Tx, server_id: str, identities: Collection[str]) -> str | None:
    """Let the machine be this server, as it says it is now; the server that it is already, if another one.

    Two servers that claim one machine at the same moment wait for each other here, and one of them loses;
    whoever is told another server must take its transaction back.
    """
    for identity in sorted(identities):  # In one order, so that two of them never both wait.
        row = {"tenant_id": tx.tenant, "identity": identity, "server_id": server_id}
        # Insert first, then look: if two servers looked first, both would see that nobody has claimed the
        # machine, and both would install it.
        tx.execute(tx.insert(claim).values(row).on_conflict_do_nothing())
        where = (claim.c.tenant_id == tx.tenant, claim.c.identity == identity)
        owner = str(tx.value(select(claim.c.server_id).where(*where)))
        if owner != server_id and not _differ(tx, identity, server_id, owner):
            return owner
    told = {_kind(identity) for identity in identities}
    for before in claims_of(tx, server_id):
        # A machine whose board was replaced has another number now. What it does not tell today is no sign of
        # a change.
        if before not in identities and _kind(before) in told:
            tx.execute(delete(claim).where(claim.c.tenant_id == tx.tenant, claim.c.identity == before))
    return None


def claims_of(tx: Tx, server_id: str) -> list[str]:
    """What the server's machine is known by."""
    where = (claim.c.tenant_id == tx.tenant, claim.c.server_id == server_id)
    found = select(claim.c.identity).where(*where).order_by(claim.c.identity)
    return [row["identity"] for row in tx.rows(found)]


def release_machine(tx: Tx, server_id: str) -> None:
    """The server is no machine any longer; another one may be it."""
    tx.execute(delete(claim).where(claim.c.tenant_id == tx.tenant, claim.c.server_id == server_id))


def _kind(identity: str) -> str:
    return identity.partition(":")[0]


def _differ(tx: Tx, identity: str, server_id: str, owner: str) -> bool:
    """Whether two servers are two machines although they share an identifier.

    Nodes of one chassis may share its serial number: of two machines that are asked by the same protocol, the
    GUIDs decide, when both have one. Between protocols GUIDs may be made in different ways.
    """
    if not identity.startswith("serial:"):
        return False
    both = [[one for one in claims_of(tx, each) if one.startswith("guid:")] for each in (server_id, owner)]
    spoken = select(server.c.protocol).where(
        server.c.tenant_id == tx.tenant, server.c.id.in_((server_id, owner))
    )
    return all(both) and both[0] != both[1] and len({row["protocol"] for row in tx.rows(spoken)}) == 1
