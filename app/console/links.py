"""Redirects a browser that opens an address of the API to the page of the same resource."""

import werkzeug.exceptions
from flask import Response, redirect, request

from app.console.family import ROOT, refused
from app.domain.errors import NotFound

PAGES = {
    "runs.listRuns": "/runs",
    "runs.getRun": "/runs/{run_id}",
    "types.listTypes": "/types",
    "types.getType": "/types/{type_name}",
    "servers.listServers": "/servers",
    "servers.getServer": "/servers/{server_id}",
    "clusters.listClusters": "/clusters",
    "clusters.getCluster": "/clusters/{cluster_id}",
    "vms.listVms": "/vms",
    "vms.getVm": "/vms/{vm_id}",
    "pools.listPools": "/pools",
    "locks.listLocks": "/locks",
    "workers.listWorkers": "/workers",
    "schedules.listSchedules": "/schedules",
    "schedules.getSchedule": "/schedules/{schedule_id}",
    "batches.listBatches": "/batches",
    "batches.getBatch": "/batches/{batch_id}",
    "webhooks.listWebhooks": "/webhooks",
    "webhooks.getWebhook": "/webhooks/{webhook_id}",
}


def prefer_pages() -> Response | None:
    """Redirect a request that prefers HTML to its page; without such a page, answer with an error page."""
    if request.method != "GET" or request.accept_mimetypes.best != "text/html":
        return None
    if isinstance(request.routing_exception, werkzeug.exceptions.NotFound):
        return refused(NotFound())
    page = PAGES.get(request.endpoint or "")
    if page is None:
        return None
    return redirect(ROOT + page.format(**(request.view_args or {})), 303)  # type: ignore[return-value]
