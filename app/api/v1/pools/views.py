"""Pools of servers (contracts/runs.rst#servers-pools-and-hooks)."""

from collections.abc import Mapping

from flask import Response

from app.api.http import paging, versions
from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.http.paging import PageQuery
from app.api.v1 import examples
from app.api.v1.pools import show
from app.api.v1.pools.schemas import PoolBody, PoolChange, PoolShape
from app.services import pools as service

pools = Family("pools", "Sets of servers that provisioning takes from.")


@pools.serve("GET", "/v1/pools", "listPools", scope="servers:read")
@pools.arguments(PageQuery, location="query")
@pools.response(200, PoolShape(many=True), example=[examples.POOL])
def list_pools(query: Mapping[str, object]) -> Answer:
    """Pools, newest first, with how many machines are free."""
    found, shown = show.page(paging.window(query))
    return paging.answer(query, found, shown)


@pools.serve("POST", "/v1/pools", "createPool", scope="servers:write")
@pools.arguments(PoolBody, example={"name": "gpu-h100", "labels": {"site": "fra"}})
@pools.response(201, PoolShape, example=examples.POOL)
def create_pool(body: Mapping[str, object]) -> Answer:
    """Make a pool; its name must be free."""
    row = service.create(world(), principal(), body)
    return show.shown(row), 201, {"Location": f"/v1/pools/{row['id']}"}


@pools.serve("GET", "/v1/pools/<pool_id>", "getPool", scope="servers:read")
@pools.also(304, description="Not changed since the ETag in If-None-Match.")
@pools.response(200, PoolShape, example=examples.POOL)
def get_pool(pool_id: str) -> Answer:
    """One pool."""
    row = show.row(pool_id)
    return versions.tagged(show.shown(row), str(row["version"]))


@pools.serve("PATCH", "/v1/pools/<pool_id>", "changePool", scope="servers:write", errors=(409, 412))
@pools.arguments(PoolChange, example={"labels": {"site": "ams"}})
@pools.response(200, PoolShape, example=examples.POOL)
def change_pool(body: Mapping[str, object], pool_id: str) -> Answer:
    """Change a pool; with If-Match only when nobody else did meanwhile."""
    row = service.change(world(), principal(), pool_id, body, versions.wanted_version())
    return show.shown(row), None, {"ETag": f'"{row["version"]}"'}


@pools.serve("DELETE", "/v1/pools/<pool_id>", "deletePool", scope="servers:write", errors=(409,))
@pools.response(204)
def delete_pool(pool_id: str) -> Response:
    """Remove a pool that has no servers."""
    service.delete(world(), principal(), pool_id)
    return Response(status=204)
