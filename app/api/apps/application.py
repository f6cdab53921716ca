"""The Flask application of the apps API: without schemas, and without a log line for each request."""

from importlib import import_module
from importlib.util import find_spec

from flask import Flask
from werkzeug.routing import PathConverter

from app import logs
from app.api.apps import errors, scope
from app.api.apps.fast_routes import FastRoutes
from app.api.http.context import LazyWorld
from app.config import load
from app.domain.apps.words import LARGEST_BODY
from app.services.context import AppContext
from app.wiring import wire

TOPICS = (
    *("events", "runs", "steps", "hooks", "streams"),
    *("dead_letters", "handlers", "admin", "ops"),
)


class App(PathConverter):
    """The id of an application: one segment, or two when it is the name of a package with a scope."""

    regex = "(?:@[^/]+/)?[^/]+"


class Rest(PathConverter):
    """The rest of a path, or a name within it that may contain slashes, also leading or doubled ones."""

    regex = ".+?"
    part_isolating = False  # Otherwise werkzeug would match each part between slashes by itself.


def make() -> Flask:
    """The application with the settings of the environment; the HTTP server calls this function."""
    logs.configure(load().log_level)
    return create_apps()


def create_apps(context: AppContext | None = None) -> Flask:
    """The application on this context; without one it is built from the environment at the first request."""
    app = Flask("apps", static_folder=None, template_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=LARGEST_BODY + 1, PROVIDE_AUTOMATIC_OPTIONS=False)
    app.url_map.strict_slashes = True
    app.url_map.redirect_defaults = False
    app.url_map.merge_slashes = False
    app.url_map.converters.update(app=App, rest=Rest)
    app.extensions["windlass"] = LazyWorld(lambda: context or wire(role="api"))
    for topic in TOPICS:
        name = f"{__package__}.{topic}"
        if find_spec(name) is not None:
            app.register_blueprint(import_module(name).blueprint)
    errors.register(app)
    scope.register(app)
    app.wsgi_app = FastRoutes(app, app.wsgi_app)  # type: ignore[assignment, method-assign]
    return app
