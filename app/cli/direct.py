"""Commands that go straight to the database: what must hold before they begin."""

from pathlib import Path

from app.config import Settings, load
from app.record import migrate
from app.record.session import Database
from app.wiring import AppContext, wire


def world() -> AppContext:
    """The world of a command line; raises `SchemaBehind` or `Unavailable` when the database is not ready."""
    settings = load()
    if missing(settings):
        raise migrate.SchemaBehind(
            f"There is no database yet at {settings.database_place}; if the service has another one, name it "
            "with DATABASE_URL, or its state folder with WINDLASS_STATE_DIR."
        )
    wired = wire(settings, role="cli")
    check_reachable(wired.db)
    if migrate.current(wired.db) != migrate.head():
        raise migrate.SchemaBehind
    return wired


def check_reachable(db: Database) -> None:
    """Raise `Unavailable` unless the database answers."""
    db.read(lambda tx: tx.now)


def missing(settings: Settings) -> bool:
    """Whether the database is a SQLite file that was never made; looking must not make it."""
    kind, _, path = settings.database.partition(":///")
    return kind.startswith("sqlite") and not Path(path).exists()
