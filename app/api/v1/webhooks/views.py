"""Webhooks: endpoints, their secrets, their deliveries (contracts/runs.rst#webhooks)."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from app.api.http import paging, versions
from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.http.paging import PageQuery
from app.api.v1 import examples
from app.api.v1.webhooks import show
from app.api.v1.webhooks.schemas import (
    DeliveryQuery,
    DeliveryShape,
    WebhookBody,
    WebhookChange,
    WebhookOnce,
    WebhookShape,
)
from app.services import resources
from app.services import webhooks as service

webhooks = Family("webhooks", "Endpoints that are told of events, by Standard Webhooks 1.0.")
PATH = "/v1/webhooks"
ONE = f"{PATH}/<webhook_id>"


@webhooks.serve("GET", PATH, "listWebhooks", scope="webhooks")
@webhooks.arguments(PageQuery, location="query")
@webhooks.response(200, WebhookShape(many=True), example=[examples.WEBHOOK])
def list_webhooks(query: Mapping[str, object]) -> Answer:
    """Endpoints, newest first, without their secrets."""
    found = show.page(paging.window(query))
    return paging.answer(query, found, [resources.webhook_object(row) for row in found.rows])


@webhooks.serve("POST", PATH, "createWebhook", scope="webhooks")
@webhooks.arguments(WebhookBody, example={"url": examples.WEBHOOK["url"], "events": ["run.*"]})
@webhooks.response(201, WebhookOnce, example=examples.WEBHOOK_ONCE)
def create_webhook(body: Mapping[str, object]) -> Answer:
    """Make an endpoint; the answer alone shows its secret."""
    row, secret = service.create(world(), principal(), body)
    return resources.webhook_object(row, secret), 201, {"Location": f"{PATH}/{row['id']}"}


@webhooks.serve("GET", ONE, "getWebhook", scope="webhooks")
@webhooks.also(304, description="Not changed since the ETag in If-None-Match.")
@webhooks.response(200, WebhookShape, example=examples.WEBHOOK)
def get_webhook(webhook_id: str) -> Answer:
    """One endpoint."""
    row = service.get(world(), webhook_id)
    return versions.tagged(resources.webhook_object(row), str(row["version"]))


@webhooks.serve("PATCH", ONE, "changeWebhook", scope="webhooks", errors=(409, 412))
@webhooks.arguments(WebhookChange, example={"active": False})
@webhooks.response(200, WebhookShape, example=examples.WEBHOOK)
def change_webhook(body: Mapping[str, object], webhook_id: str) -> Answer:
    """Change an endpoint; with If-Match only when nobody else did meanwhile."""
    row = service.change(world(), principal(), webhook_id, body, versions.wanted_version())
    return resources.webhook_object(row), None, {"ETag": f'"{row["version"]}"'}


@webhooks.serve("DELETE", ONE, "deleteWebhook", scope="webhooks")
@webhooks.response(204)
def delete_webhook(webhook_id: str) -> Response:
    """Remove an endpoint with its deliveries."""
    service.delete(world(), principal(), webhook_id)
    return Response(status=204)


@webhooks.serve("POST", f"{ONE}/rotate", "rotateWebhook", scope="webhooks")
@webhooks.response(200, WebhookOnce, example=examples.WEBHOOK_ONCE)
def rotate_webhook(webhook_id: str) -> Answer:
    """Make a new secret, shown this once; the old one stays valid for an overlap."""
    row, secret = service.rotate(world(), principal(), webhook_id)
    return resources.webhook_object(row, secret)


@webhooks.serve("POST", f"{ONE}/test", "testWebhook", scope="webhooks")
@webhooks.response(202, DeliveryShape, example=examples.DELIVERY)
def test_webhook(webhook_id: str) -> Answer:
    """Send a test event."""
    return resources.delivery_object(service.test(world(), principal(), webhook_id))


@webhooks.serve("GET", f"{ONE}/deliveries", "listDeliveries", scope="webhooks")
@webhooks.arguments(DeliveryQuery, location="query")
@webhooks.response(200, DeliveryShape(many=True), example=[examples.DELIVERY])
def list_deliveries(query: dict[str, Any], webhook_id: str) -> Answer:
    """What was sent or is to be sent, newest first, with every attempt."""
    service.get(world(), webhook_id)
    found, shown = show.deliveries(webhook_id, query.get("status"), paging.window(query))
    return paging.answer(query, found, shown)


@webhooks.serve("POST", f"{ONE}/deliveries/<delivery_id>/redeliver", "redeliver", scope="webhooks")
@webhooks.response(202, DeliveryShape, example={**examples.DELIVERY, "status": "pending"})
def redeliver(webhook_id: str, delivery_id: str) -> Answer:
    """Send one again, also when it was given up."""
    return resources.delivery_object(service.redeliver(world(), principal(), webhook_id, delivery_id))
