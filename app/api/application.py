"""The Flask application: the families, what surrounds each request, and the OpenAPI document."""

from contextlib import suppress

from flask import Flask
from flask_smorest import Api

from app import logs
from app.api.batch.views import batches
from app.api.code.views import workflows
from app.api.docs.views import docs
from app.api.health.views import health
from app.api.http import headers, idempotency, keys, problems
from app.api.http.bodies import MEBIBYTE
from app.api.http.context import LazyWorld
from app.api.http.openapi import API, describe_problems
from app.api.http.rate import Buckets
from app.api.http.schemas import Moment
from app.api.http.stream import SHORT, Places
from app.api.v1.access.views import access
from app.api.v1.accounts.views import accounts
from app.api.v1.audit.views import audit
from app.api.v1.clusters.views import clusters
from app.api.v1.hooks.views import hooks
from app.api.v1.locks.views import locks
from app.api.v1.managements.views import managements
from app.api.v1.metrics.views import metrics
from app.api.v1.pools.views import pools
from app.api.v1.runs.many import runs
from app.api.v1.saved_views.views import saved_views
from app.api.v1.schedules.views import schedules
from app.api.v1.servers.views import servers
from app.api.v1.service.views import service
from app.api.v1.types.views import types
from app.api.v1.vms.views import vms
from app.api.v1.webhooks.views import webhooks
from app.api.v1.workers.views import workers
from app.config import load
from app.console.links import prefer_pages
from app.console.pages import pages
from app.domain.errors import Unavailable
from app.record.paging import Window
from app.record.runs import run_list
from app.record.runs.run_list import RunFilters
from app.services import runs as runs_service
from app.services.context import AppContext
from app.wiring import wire

FAMILIES = (
    *(runs, metrics, types, locks, servers, pools, clusters, vms, managements, accounts),
    *(
        schedules,
        batches,
        workflows,
        hooks,
        webhooks,
        workers,
        saved_views,
        access,
        audit,
        service,
        health,
        docs,
    ),
)

LOGINS_A_MINUTE = 10  # Attempts to log in from one address that fail.


def guarded() -> Flask:
    """The application on the environment, refused where it would stand open (see `keys.refuse_unsafe`)."""
    settings = load()
    logs.configure(settings.log_level)
    if not settings.loopback_only:
        # While the database is away nobody gets in either: without a known key every request is refused.
        with suppress(Unavailable):
            keys.refuse_unsafe(wire(settings))
    app = build()
    _warm(app.extensions["windlass"]())
    return app


def _warm(world: AppContext) -> None:
    """Load, connect and compile what the first request would wait for."""
    with suppress(Exception):  # Whatever is wrong is told to those who ask, and may have passed by then.
        runs_service.types(world)
        world.db.read(lambda tx: run_list.list_runs(tx, RunFilters(), Window(limit=1)))


def build(world: AppContext | None = None) -> Flask:
    """The application on a world; without one it is wired from the environment at the first request."""
    app = Flask("app", static_folder=None, template_folder=None)
    # One byte more than allowed is read: a body without a length is cut there, and then seen to be too long.
    app.config.update(API, MAX_CONTENT_LENGTH=MEBIBYTE + 1, PROVIDE_AUTOMATIC_OPTIONS=False)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.strict_slashes = True
    app.url_map.redirect_defaults = False
    app.url_map.merge_slashes = False
    app.extensions["windlass"] = LazyWorld(lambda: world or wire(role="api"))
    settings = world.settings if world else load()
    app.extensions["windlass.places"] = Places(settings.api_threads)
    # Threads of their own serve them (see `app.serving.bridge`).
    app.extensions["windlass.live"] = Places(settings.api_streams + SHORT, most=settings.api_streams)
    app.extensions["windlass.hook_rate"] = Buckets(settings.hook_rate) if settings.hook_rate > 0 else None
    api = _QuietApi(app)
    api.register_field(Moment, "string", "date-time")
    describe_problems(api)
    for family in FAMILIES:
        api.register_blueprint(family)
    app.extensions["windlass.openapi"] = api
    app.extensions["windlass.login_rate"] = Buckets(LOGINS_A_MINUTE)
    if settings.console:
        app.register_blueprint(pages)
    problems.register(app)
    led = (prefer_pages,) if settings.console else ()
    for before in (headers.begin, *led, keys.authenticate, headers.check, idempotency.begin):
        app.before_request(before)
    for after in (headers.finish, idempotency.finish):
        app.after_request(after)  # The last one added runs first.
    keys.check(app)
    return app


class _QuietApi(Api):  # type: ignore[misc]
    """flask-smorest without its own error bodies and documentation pages."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None: ...

    def _register_doc_blueprint(self) -> None: ...

    def _register_responses(self) -> None: ...

    def register_blueprint(self, blp: object, **options: object) -> None:
        super().register_blueprint(blp, **options)
