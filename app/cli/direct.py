"""Commands that go straight to the database: what must hold before they begin.

What moves runs is imported by those that need it: a worker host does not, and lives as long as its workers.
"""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click
from redis import RedisError

from app.config import Settings, load
from app.domain.errors import WindlassError
from app.engine import installation
from app.host.child import CannotStart
from app.record.session import Database, Limits

if TYPE_CHECKING:
    from app.services.context import AppContext


def world() -> "AppContext":
    """The world of a command line, whose connections end with the command.

    Raises `SchemaBehind` or `Unavailable` when the database is not ready.
    """
    from app.record import migrate
    from app.wiring import wire

    settings = load()
    if missing(settings):
        raise migrate.SchemaBehind(
            f"There is no database yet at {settings.database_place}; if the service has another one, name it "
            "with DATABASE_URL, or its state folder with WINDLASS_STATE_DIR."
        )
    wired = wire(settings, role="cli")
    if context := click.get_current_context(silent=True):
        context.call_on_close(wired.db.dispose)
    check_reachable(wired.db)
    if migrate.current(wired.db) != migrate.head():
        raise migrate.SchemaBehind
    return wired


def check_installation(settings: Settings) -> None:
    """Raise `CannotStart` when Redis serves another database, with messages about runs of that one."""
    db = Database(settings.database, limits=Limits(statement_ms=30_000, lock_ms=5_000))
    redis = settings.broker.client(socket_timeout=1, socket_connect_timeout=1, decode_responses=True)
    with closing(redis):
        try:
            if installation.serves(installation.own(db), redis, settings.redis_prefix):
                return
        except (RedisError, WindlassError):
            return  # Away, or not there yet; what needs it waits for it, and says so.
        finally:
            db.dispose()
    raise CannotStart(
        f"The database {settings.database_place} is not the one that Redis at {settings.broker.place} "
        "serves: name the service's database with DATABASE_URL, or its state folder with WINDLASS_STATE_DIR. "
        "If this database has taken the other one's place, delete the key "
        f"{settings.redis_prefix}installation in Redis first."
    )


def check_reachable(db: Database) -> None:
    """Raise `Unavailable` unless the database answers."""
    db.read(lambda tx: tx.now)


def missing(settings: Settings) -> bool:
    """Whether the database is a SQLite file that was never made; looking must not make it."""
    kind, _, path = settings.database.partition(":///")
    return kind.startswith("sqlite") and not Path(path).exists()
