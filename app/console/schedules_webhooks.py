"""Pages of schedules and webhooks."""

from flask import redirect, request
from flask.typing import ResponseReturnValue

from app.console import api_client
from app.console.family import ROOT, pages
from app.console.render import render

PAGE = 50
STRIP = 60
Object = dict[str, object]


@pages.page("GET", "/schedules", scope="runs:read")
def schedules() -> str:
    """Schedules with when they are due next."""
    found = api_client.get("/v1/schedules", limit=PAGE, cursor=request.args.get("cursor"))
    return render("schedules.html", title="Schedules", rows=found.data, page=found.pagination)


@pages.page("GET", "/schedules/<schedule_id>", scope="runs:read")
def schedule(schedule_id: str) -> str:
    """One schedule: its next times, and the results of the last ones."""
    path = f"/v1/schedules/{schedule_id}"
    shown = api_client.get(path).data
    past = api_client.get(f"{path}/occurrences", limit=STRIP).data
    return render("schedule.html", title=shown["name"], one=shown, past=past)


@pages.page("GET", "/webhooks", scope="webhooks")
def webhooks() -> str:
    """The webhook endpoints."""
    found = api_client.get("/v1/webhooks", limit=PAGE, cursor=request.args.get("cursor"))
    return render("webhooks.html", title="Webhooks", rows=found.data, page=found.pagination)


@pages.page("GET", "/webhooks/<webhook_id>", scope="webhooks")
def webhook(webhook_id: str) -> str:
    """One endpoint with its deliveries and every attempt."""
    path = f"/v1/webhooks/{webhook_id}"
    shown = api_client.get(path).data
    found = api_client.get(f"{path}/deliveries", limit=PAGE, cursor=request.args.get("cursor"))
    return render("webhook.html", title=shown["url"], one=shown, rows=found.data, page=found.pagination)


@pages.page("POST", "/webhooks/<webhook_id>/redeliver/<delivery_id>", scope="webhooks")
def redeliver(webhook_id: str, delivery_id: str) -> ResponseReturnValue:
    """Send a delivery again."""
    api_client.post(
        f"/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", key=request.form.get("key")
    )
    return redirect(f"{ROOT}/webhooks/{webhook_id}", 303)
