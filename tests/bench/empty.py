"""An empty Flask view: the floor below every request that Flask and gunicorn serve."""

from flask import Flask


def create_app() -> Flask:
    """One view that says nothing."""
    app = Flask("empty")

    @app.post("/")
    def nothing() -> tuple[str, int]:
        return "", 202

    return app
