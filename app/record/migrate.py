"""Migrations: bring a database to the newest schema, and tell whether models and migrations agree."""

import warnings
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url

import migrations
from app.domain.errors import SchemaBehind
from app.record.session import Database
from app.record.tables import metadata

# What the models need not agree with: Alembic's own table, and a reference that SQLite alone still has.
OTHERS = frozenset({("table", "alembic_version"), ("foreign_key_constraint", "fk_delivery_webhook")})

__all__ = ["SchemaBehind", "check", "config", "current", "downgrade", "head", "upgrade"]


def config(url: str) -> Config:
    """Alembic's configuration for a database."""
    made = Config()
    made.set_main_option("script_location", str(Path(migrations.__file__).parent))
    made.attributes["url"] = url
    return made


def upgrade(url: str, revision: str = "head") -> None:
    """Bring a database to a revision; a SQLite file and its folder are made when they are missing."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    command.upgrade(config(url), revision)


def downgrade(url: str, revision: str = "base") -> None:
    """Take a database back to an earlier revision."""
    command.downgrade(config(url), revision)


def head() -> str:
    """The newest revision."""
    return str(ScriptDirectory.from_config(config("")).get_current_head())


def current(db: Database) -> str | None:
    """The revision of a database."""
    with db.reading() as tx:
        return MigrationContext.configure(tx.connection).get_current_revision()


def check(url: str) -> list[str]:
    """What differs: the revision from the newest, the tables from the models. Empty when all agree."""
    db = Database(url)
    try:
        found = current(db)
        if found != head():
            return [f"the database is at revision {found}, the newest is {head()}: run windlass db upgrade"]
        with db.reading() as tx, warnings.catch_warnings():
            # SQLite does not tell of indexes on expressions, and warns that they are left out.
            warnings.filterwarnings("ignore", ".*expression-based index")
            context = MigrationContext.configure(
                tx.connection, opts={"compare_type": True, "include_object": _ours}
            )
            return [str(difference) for difference in compare_metadata(context, metadata)]
    finally:
        db.dispose()


def _ours(item: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
    return (kind, name) not in OTHERS
