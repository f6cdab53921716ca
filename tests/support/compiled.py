"""Statements are compiled once in a test process, not once in each test.

SQLAlchemy keeps compiled statements with the engine, and a test with a fresh database has an engine of its
own, which would compile the same statements again. What they become depends on the dialect alone, so engines
of one dialect share them with the first that has connected.
"""

from typing import Any

from sqlalchemy import Engine, create_engine, event

from app.record import connect

_first: dict[str, Engine] = {}


def share() -> None:
    """From now on, in this process."""
    connect.create_engine = _created  # type: ignore[attr-defined]


def _created(url: Any, **values: Any) -> Engine:
    engine = create_engine(url, **values)
    kind = f"{engine.dialect.name}+{engine.dialect.driver}"
    first = _first.get(kind)
    if first is None:
        # Not before it has connected: only then the dialect knows the server.
        event.listen(engine, "connect", lambda *_: _first.setdefault(kind, engine))
    else:
        # The pool keeps the dialect that the engine was made with, and so whatever listens to connections.
        engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
    return engine
