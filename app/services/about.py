"""What this service is: its release, its schema, how long it keeps things, how large its database is."""

import platform
from dataclasses import fields
from urllib.parse import urlsplit, urlunsplit

from app.auth.keys import Principal
from app.auth.secrets import REDACTED, looks_like_credential
from app.config import ENVIRONMENT_NAMES, Settings, release
from app.domain.clock import rfc3339
from app.record import sizes
from app.record.session import Tx
from app.services.context import AppContext

Object = dict[str, object]


def about(world: AppContext, principal: Principal) -> Object:
    """The facts; the settings in force stand there for administrators alone, without secrets."""
    from app.record import migrate  # Here and not above: it loads Alembic, which no other request needs.

    settings = world.settings
    now, measured = world.db.read(lambda tx: (tx.now, _measured(tx)))
    revision = migrate.current(world.db)
    return {
        "release": release(),
        "python": platform.python_version(),
        "region": settings.region,
        "url": settings.url,
        "time": rfc3339(now),
        "database": {
            "kind": world.db.dialect,
            "revision": revision,
            "newest": migrate.head(),
            **measured,
        },
        "retentionDays": settings.retention_days,
        "auditDays": settings.audit_days,
        "settings": settings_shown(settings) if principal.allows("admin") else None,
    }


def settings_shown(settings: Settings) -> list[Object]:
    """Every setting in force by the name of its variable, without what must stay secret."""
    return [
        {"variable": variable(one.name), "value": shown(one.name, getattr(settings, one.name))}
        for one in fields(Settings)
    ]


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return ENVIRONMENT_NAMES.get(name, f"WINDLASS_{name.upper()}")


def shown(name: str, value: object) -> object:
    """The value without what must stay secret: keys, and passwords inside of URLs."""
    if value and isinstance(value, str) and (looks_like_credential(name) or name.endswith("_key")):
        return REDACTED
    if isinstance(value, str) and "://" in value:
        parts = urlsplit(value)
        if parts.password is not None:
            place = parts.netloc.rpartition("@")[2]
            return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{REDACTED}@{place}"))
    return value


def _measured(tx: Tx) -> Object:
    return {"bytes": sizes.whole(tx), "tables": sizes.tables(tx)}
