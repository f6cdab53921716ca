"""The parameters of a list of runs as filters of the record: names and texts become ids."""

from collections.abc import Mapping
from typing import Any

from app.record.runs import run_search
from app.record.runs.run_list import RunFilters
from app.services import naming
from app.services.context import AppContext

SEVERAL = ("type", "not_type", "status", "not_status", "detail", "not_detail")


def filters_of(world: AppContext, asked: Mapping[str, Any]) -> RunFilters:
    """The filters that are meant; ``asked`` has the members of `RunFilters`, ``tag`` and ``q``.

    ``resource_id`` may be a name. ``q`` is a part of a run's id, or of the name, serial number or address of
    what it works on. Raises `Conflict` for a name that more than one resource has.
    """
    given = {name: value for name, value in asked.items() if name not in ("q", "tag")}
    given |= {name: tuple(given[name]) for name in SEVERAL if name in given}
    if "resource_id" in given:
        named = naming.resource_of(world, given.get("resource_type"), given["resource_id"])
        given["resource_id"] = named
    if "q" in asked:
        text = str(asked["q"]).strip()
        ids, resources = world.db.read(
            lambda tx: (run_search.runs_called(tx, text), run_search.resources_called(tx, text))
        )
        given |= {"run_ids": tuple(ids), "resource_ids": tuple(id_ for _, id_, _ in resources)}
    return RunFilters(**given, tags=tuple(asked.get("tag", ())))
