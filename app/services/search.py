"""What a text may mean: runs, resources, schedules and types, for whoever may read them."""

from app.auth.keys import Principal
from app.record.runs import run_list, run_search
from app.record.session import Tx
from app.services.context import AppContext
from chains import catalogue

Object = dict[str, object]
# Where each kind of thing is read.
PATHS = {
    "run": "/v1/workflows/runs",
    "server": "/v1/servers",
    "cluster": "/v1/clusters",
    "vm": "/v1/vms",
    "management": "/v1/management-clusters",
    "pool": "/v1/pools",
    "schedule": "/v1/schedules",
    "type": "/v1/workflows/types",
}
SHORTEST = 2  # Characters that a text has at least.
OF_RUNS = ("run", "schedule", "type")  # The others need the scope servers:read.


def search(world: AppContext, principal: Principal, text: str, limit: int = 20) -> list[Object]:
    """What may be meant, best first: whole names before parts of them; at most so many of all kinds."""
    text = text.strip()
    found = world.db.read(lambda tx: [*_resources(tx, text), *_runs(tx, text, limit)])
    found += [_hit("type", name, name, None) for name in sorted(catalogue.types()) if text.lower() in name]
    readable = principal.allows("servers:read")
    allowed = [one for one in found if readable or one["kind"] in OF_RUNS]
    whole = text.lower()
    allowed.sort(key=lambda one: whole not in (str(one["name"] or "").lower(), str(one["id"]).lower()))
    return allowed[:limit]


def _runs(tx: Tx, text: str, limit: int) -> list[Object]:
    rows = run_list.brief_runs(tx, run_search.runs_called(tx, text)[:limit])
    return [_hit("run", row["id"], row["type"], row["status"]) for row in rows]


def _resources(tx: Tx, text: str) -> list[Object]:
    return [_hit(kind, id_, name, state) for kind, id_, name, state in run_search.things_called(tx, text)]


def _hit(kind: str, id_: str, name: str | None, state: str | None) -> Object:
    return {"kind": kind, "id": id_, "name": name, "state": state, "href": f"{PATHS[kind]}/{id_}"}
