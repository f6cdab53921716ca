"""The application that `celery -A tasks` looks for."""

from app.worker.celery_app import app

__all__ = ["app"]
