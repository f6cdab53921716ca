"""Names in the place of ids: a server may be called by its name, its serial number or a part of its id."""

from collections.abc import Iterable

from app.domain.errors import Conflict, NotFound
from app.domain.ids import well_formed
from app.record.inventory import naming
from app.record.session import Tx
from app.services.context import AppContext

LONGEST = 255
PREFIXES = {"server": "srv", "cluster": "cls", "vm": "vm", "management": "mgt"}  # Of what runs work on.


def is_nameable(prefix: str) -> bool:
    """Whether resources of this kind have names."""
    return prefix in naming.KINDS


def id_of(world: AppContext, prefix: str, text: str) -> str:
    """The id that is meant; raises `NotFound`, or `Conflict` with those that could be meant."""
    if well_formed(text, prefix):
        return text
    return world.db.read(lambda tx: meant(tx, prefix, text))


def meant(tx: Tx, prefix: str, text: str) -> str:
    """The same in a transaction."""
    found = _one(prefix, text, naming.meant(tx, prefix, text))
    if found is None:
        called = naming.KINDS[prefix].called
        raise NotFound(f"There is no {called} whose id, name or part of an id is {text[:LONGEST]!r}.")
    return found


def resource_of(world: AppContext, resource: str | None, text: str) -> str:
    """The id of what a run works on; a text that names nothing there stays as it is."""
    prefixes = PREFIXES.values() if resource is None else filter(None, [PREFIXES.get(resource)])
    if any(well_formed(text, prefix) for prefix in PREFIXES.values()):
        return text

    def look(tx: Tx) -> str:
        found = (_one(prefix, text, naming.meant(tx, prefix, text)) for prefix in prefixes)
        return next((one for one in found if one is not None), text)

    return world.db.read(look)


def lock_of(world: AppContext, lock: str) -> str:
    """A lock as ``server/srv_…``, whatever its server is called."""
    resource, slash, text = lock.partition("/")
    return f"{resource}/{resource_of(world, resource, text)}" if slash and resource in PREFIXES else lock


def names_of(tx: Tx, resources: Iterable[tuple[str | None, str | None]]) -> dict[str, str]:
    """What these resources are called, by their ids."""
    wanted: dict[str, set[str]] = {}
    for resource, resource_id in resources:
        if resource in PREFIXES and resource_id is not None:
            wanted.setdefault(PREFIXES[resource], set()).add(resource_id)
    return {
        id_: name for prefix, ids in wanted.items() for id_, name in naming.names_of(tx, prefix, ids).items()
    }


def _one(prefix: str, text: str, found: list[naming.Row]) -> str | None:
    if len(found) < 2:
        return str(found[0]["id"]) if found else None
    called = naming.KINDS[prefix].called
    candidates = [f"{row['id']} ({row['name']})" if row["name"] else str(row["id"]) for row in found]
    raise Conflict(
        f"More than one {called} is meant by {text[:LONGEST]!r}: name one by its id.",
        candidates=candidates[: naming.MOST - 1],
    )
