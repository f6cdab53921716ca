"""Routes for liveness, readiness and metrics."""

from flask import Blueprint, Response, request

from app.api.apps.bodies import answer
from app.api.apps.numbers import exposition
from app.api.apps.scope import guard
from app.api.health.views import PROMETHEUS
from app.api.http.context import world
from app.domain.apps.refusal import Refused
from app.domain.errors import Unavailable, WindlassError

READY_S = 1.0
blueprint = Blueprint("ops", __name__)


@blueprint.get("/status")
def status() -> Response:
    """Liveness."""
    return answer({"status": "ok"})


@blueprint.get("/")
def welcome() -> Response:
    """The name of the service."""
    return answer({"message": "Windlass keeps the runs of Workflow DevKit apps here", "api": "/api/v1/apps"})


@blueprint.get("/ready")
def ready() -> Response:
    """Readiness: whether the database answers within a second."""
    try:
        world().db.read(lambda tx: tx.now, patience_s=READY_S)
    except WindlassError as error:
        failing = answer({"status": "failing", "reason": type(error).__name__}, 503)
        failing.headers["Retry-After"] = "2"
        return failing
    return answer({"status": "ok"})


@blueprint.get("/metrics")
def metrics() -> Response:
    """The metrics for Prometheus; only administrators get them by application."""
    try:
        named = guard().caller(request.environ).admin
    except (Refused, Unavailable):
        named = False
    return Response(exposition(world(), named=named), content_type=PROMETHEUS)
