"""What a request works with: the world behind the service and whoever asks."""

from collections.abc import Callable
from threading import Lock
from typing import cast

from flask import current_app, g

from app.auth.keys import Principal
from app.services.context import AppContext


class LazyWorld:
    """The world, wired at the first request, so that a forking server shares no connection."""

    def __init__(self, make: Callable[[], AppContext]) -> None:
        self._make = make
        self._made: AppContext | None = None
        self._lock = Lock()

    def __call__(self) -> AppContext:
        if self._made is not None:
            return self._made
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made


def world() -> AppContext:
    """The world of the application that serves this request."""
    return cast(LazyWorld, current_app.extensions["windlass"])()


def principal() -> Principal:
    """Whoever makes this request."""
    return cast(Principal, g.principal)
