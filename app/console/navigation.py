"""The navigation at the side: links to pages, with counts of things that need an operator."""

from dataclasses import dataclass
from typing import Any

from flask import g

from app.api.http.context import principal
from app.console import api_client
from app.console.family import ROOT
from app.domain.errors import Rejected


@dataclass(frozen=True)
class Item:
    """One link, or the title of a group."""

    title: str
    path: str = ""
    scope: str = "runs:read"
    count: int | None = None
    bad: bool = False
    current: bool = False


ITEMS = (
    Item("Overview", "/"),
    Item("Runs", "/runs"),
    Item("Attention", "/attention"),
    Item("Do"),
    Item("Catalogue", "/types"),
    Item("Schedules", "/schedules"),
    Item("Code workflows", "/code"),
    Item("Batches", "/batches"),
    Item("Apps", "/apps", "admin"),
    Item("Machines"),
    Item("Servers", "/servers", "servers:read"),
    Item("Clusters", "/clusters", "servers:read"),
    Item("VMs", "/vms", "servers:read"),
    Item("Pools", "/pools", "servers:read"),
    Item("Operate"),
    Item("Locks & queues", "/locks"),
    Item("Workers", "/workers"),
    Item("Webhooks", "/webhooks", "webhooks"),
    Item("Keys", "/keys", "admin"),
    Item("Audit", "/audit", "admin"),
    Item("Health", "/health"),
)


def items(path: str) -> list[Item]:
    """The links that this visitor may use; a count only where something needs an operator."""
    who, counts = principal(), {"/attention": _attention()}
    inner = path.removeprefix(ROOT) or "/"
    return [_shown(item, counts, inner) for item in ITEMS if not item.path or who.allows(item.scope)]


def _shown(item: Item, counts: dict[str, int], path: str) -> Item:
    count = counts.get(item.path)
    is_here = path == item.path or (item.path not in ("", "/") and path.startswith(f"{item.path}/"))
    return Item(item.title, item.path, item.scope, count or None, bool(count), is_here)


def _attention() -> int:
    """How many runs wait for an operator; queried once for each page."""
    if "attention" not in g:
        g.attention = _asked()
    return int(g.attention)


def _asked() -> int:
    try:
        found: Any = api_client.get("/v1/workflows/runs", needsOperator="true", limit=1)
    except Rejected:
        return 0
    return int(found.pagination.get("total") or 0)
