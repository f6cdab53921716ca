"""Statements are compiled once in a test process, not once in each test.

SQLAlchemy keeps compiled statements with the engine, and a test with a fresh database has an engine of its
own, which would compile the same statements again. What they become depends on the dialect alone, so engines
of one dialect share them with the first that has connected.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from sqlalchemy import Engine, event

from app.record import connect

_first: dict[str, Engine] = {}


def share() -> None:
    """From now on, in this process."""
    connect.postgres, connect.sqlite = _sharing(connect.postgres), _sharing(connect.sqlite)


def _sharing(make: Callable[..., Engine]) -> Callable[..., Engine]:
    @wraps(make)
    def made(*given: Any) -> Engine:
        engine = make(*given)
        name = engine.dialect.name
        first = _first.get(name)
        if first is None:
            # Not before it has connected: only then the dialect knows the server.
            event.listen(engine, "connect", lambda *_: _first.setdefault(name, engine))
        else:
            # Last of all: who listens to connections does so at the dialect that the engine was made with, and
            # that one is what the pool connects with.
            engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
        return engine

    return made
