"""`client.keys`, `client.sessions` and `client.audit`: who may do what, and who did what."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote

from windlass.decode import body
from windlass.operating import ApiKey, AuditEntry, LoginSession
from windlass.pages import Page, one, read_every, read_page
from windlass.session import Session

KEYS, SESSIONS, AUDIT = "/v1/keys", "/v1/sessions", "/v1/audit"


@dataclass(frozen=True, kw_only=True)
class Keys:
    """API keys; needs the scope admin."""

    session: Session

    def list(self) -> tuple[ApiKey, ...]:
        """Every key, revoked ones too, without tokens."""
        return tuple(ApiKey.of(each) for each in self.session.get(KEYS).data)

    def get(self, key_id: str) -> ApiKey:
        """One key."""
        return one(ApiKey, self.session.get(_path(KEYS, key_id)))

    def create(self, name: str, scopes: Sequence[str], *, expires_at: date | str | None = None) -> ApiKey:
        """A new key; ``token`` and ``callback_secret`` are shown in this answer alone."""
        values = body(name=name, scopes=list(scopes), expires_at=_text(expires_at))
        return one(ApiKey, self.session.post(KEYS, values))

    def revoke(self, key_id: str) -> None:
        """Make a key useless at once, and end its sessions."""
        self.session.delete(_path(KEYS, key_id))


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """Sessions of people at the console; needs the scope admin."""

    session: Session

    def list(self, *, key_id: str | None = None) -> Iterator[LoginSession]:
        """Open sessions, newest first, of one key or of all."""
        return read_every(self.session, SESSIONS, LoginSession, {"keyId": key_id, "limit": 100})

    def end(self, session_id: str) -> None:
        """End a session at once."""
        self.session.delete(_path(SESSIONS, session_id))


@dataclass(frozen=True, kw_only=True)
class Audit:
    """The audit log; needs the scope admin."""

    session: Session

    def list(
        self, /, *, limit: int | None = None, cursor: str | None = None, **filters: object
    ) -> Page[AuditEntry]:
        """One page, newest first.

        Filters: ``actor``, ``action``, ``resource_type``, ``resource_id``, ``since``, ``until``.
        """
        query = {**_filters(filters), "limit": limit, "cursor": cursor}
        return read_page(self.session, AUDIT, AuditEntry, query)

    def each(self, /, **filters: object) -> Iterator[AuditEntry]:
        """All entries, newest first, with the filters of `list`."""
        return read_every(self.session, AUDIT, AuditEntry, {**_filters(filters), "limit": 100})


def _path(place: str, id_: str) -> str:
    return f"{place}/{quote(id_, safe='')}"


def _filters(filters: dict[str, object]) -> dict[str, object]:
    return {name: _text(value) for name, value in body(**filters).items()}


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
