"""Management clusters: where clusters and virtual machines are made."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from app.api.http import paging, versions
from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.http.paging import PageQuery
from app.api.v1 import examples
from app.api.v1.managements.schemas import (
    ForceQuery,
    Kubeconfig,
    ManagementBody,
    ManagementChange,
    ManagementShape,
)
from app.domain.errors import NotFound
from app.record.inventory import managements as record
from app.record.inventory import sources
from app.record.paging import Page
from app.record.session import Tx
from app.services import managements as service
from app.services.managed import management_object

managements = Family("managements", "Kubernetes clusters that make other clusters and run virtual machines.")
PATH = "/v1/management-clusters"
ONE = f"{PATH}/<management_id>"
Row = dict[str, object]
KUBECONFIG = "apiVersion: v1\nkind: Config\ncurrent-context: fra\n…"


@managements.serve("GET", PATH, "listManagementClusters", scope="servers:read")
@managements.arguments(PageQuery, location="query")
@managements.response(200, ManagementShape(many=True), example=[examples.MANAGEMENT])
def list_managements(query: Mapping[str, object]) -> Answer:
    """Management clusters, newest first."""

    def read(tx: Tx) -> tuple[Page, list[Row]]:
        found = record.list_managements(tx, paging.window(query))
        return found, _shown(tx, found.rows)

    return paging.answer(query, *world().db.read(read))


@managements.serve("POST", PATH, "addManagementCluster", scope="admin")
@managements.arguments(ManagementBody, example={"name": "fra", "kubeconfig": KUBECONFIG})
@managements.response(201, ManagementShape, example=examples.MANAGEMENT)
def add_management(body: Mapping[str, object]) -> Answer:
    """Know one more; its kubeconfig is cleaned and sealed at once, so that only workers can use it."""
    row = service.create(world(), principal(), body)
    return _one(row), 201, {"Location": f"{PATH}/{row['id']}"}


@managements.serve("GET", ONE, "getManagementCluster", scope="servers:read")
@managements.also(304, description="Not changed since the ETag in If-None-Match.")
@managements.response(200, ManagementShape, example=examples.MANAGEMENT)
def get_management(management_id: str) -> Answer:
    """One management cluster."""
    row = world().db.read(lambda tx: record.read_management(tx, management_id))
    if row is None:
        raise NotFound(f"There is no management cluster {management_id}.")
    return versions.tagged(_one(row), str(row["version"]))


@managements.serve("PATCH", ONE, "changeManagementCluster", scope="admin", errors=(409, 412))
@managements.arguments(ForceQuery, location="query")
@managements.arguments(ManagementChange, example={"description": "Frankfurt"})
@managements.response(200, ManagementShape, example=examples.MANAGEMENT)
def change_management(query: dict[str, Any], body: dict[str, Any], management_id: str) -> Answer:
    """Change names and namespaces; with If-Match only when nobody else did meanwhile.

    The namespace of clusters or machines that are there changes by force alone: they cannot be moved.
    """
    version, force = versions.wanted_version(), query["force"]
    row = service.change(world(), principal(), management_id, body, version, force=force)
    return _one(row), None, {"ETag": f'"{row["version"]}"'}


@managements.serve("PUT", f"{ONE}/kubeconfig", "setKubeconfig", scope="admin", errors=(409,))
@managements.arguments(ForceQuery, location="query")
@managements.arguments(Kubeconfig, example={"kubeconfig": KUBECONFIG})
@managements.response(204)
def set_kubeconfig(query: dict[str, Any], body: dict[str, Any], management_id: str) -> Response:
    """Replace how to get in; runs that are under way use it from their next attempt on.

    It has to lead to the clusters and machines that are known there, or it is refused; force overrules that.
    """
    service.set_kubeconfig(world(), principal(), management_id, body["kubeconfig"], force=query["force"])
    return Response(status=204)


@managements.serve("DELETE", ONE, "forgetManagementCluster", scope="admin", errors=(409,))
@managements.response(204)
def forget_management(management_id: str) -> Response:
    """Forget one that has neither clusters nor machines."""
    service.delete(world(), principal(), management_id)
    return Response(status=204)


def _one(row: Row) -> Row:
    return world().db.read(lambda tx: _shown(tx, [row]))[0]


def _shown(tx: Tx, rows: list[Row]) -> list[Row]:
    watched = sources.all_sources(tx)
    return [management_object(row, watched, now=tx.now) for row in rows]
