"""One reading of ``REDIS_URL``, for the engine's own client, for Celery and for Flower alike.

These libraries read URLs each in a way of their own: one verifies certificates and another does not, and
each knows schemes and words that the others refuse. So none of them is given the URL that the operator wrote.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

if TYPE_CHECKING:
    from redis import Redis

TCP, TLS, SOCKETS = "redis", "rediss", ("unix", "redis+socket", "socket")
CERTIFICATE = ("required", "optional", "none")
FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
FILES = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password")
DATABASE = ("db", "virtual_host")


@dataclass(frozen=True, kw_only=True)
class Broker:
    """Where Redis is and how to speak to it."""

    host: str = "127.0.0.1"
    port: int = 6379
    socket: str = ""  # Path of a socket of this machine; empty is TCP.
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Mapping[str, Any] | None = field(default=None, repr=False)

    def client(self, **options: Any) -> "Redis":
        """A client of our own."""
        import redis  # Here and not above: the settings are read where nobody needs Redis.

        place: dict[str, Any] = {"host": self.host, "port": self.port}
        kind: type[redis.Connection] = redis.Connection
        if self.socket:
            place, kind = {"path": self.socket}, redis.UnixDomainSocketConnection  # type: ignore[assignment]
        elif self.tls is not None:
            place, kind = {**place, **self.tls}, redis.SSLConnection
        login: dict[str, Any] = {"db": self.db, "username": self.username, "password": self.password}
        # A pool of our own kind: what `Redis` makes of the same words also tries again and again.
        pool = redis.ConnectionPool(connection_class=kind, **place, **login, **options)
        return redis.Redis.from_pool(pool)

    @property
    def place(self) -> str:
        """Where it is, without what must stay secret."""
        return self.socket or f"{self.host}:{self.port}/{self.db}"

    @property
    def celery_url(self) -> str:
        """The URL for Celery and Flower; what they need of TLS stands beside it."""
        login = ""
        if self.username or self.password:
            login = f"{quote(self.username or '', safe='')}:{quote(self.password or '', safe='')}@"
        if self.socket:
            number = urlencode({"virtual_host": self.db})
            return f"redis+socket://{login}{quote(self.socket)}?{number}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{TCP if self.tls is None else TLS}://{login}{host}:{self.port}/{self.db}"


def read(url: str) -> Broker:
    """What a URL says; raises `ValueError` with one sentence that names what is allowed."""
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    known = {*DATABASE, *FILES, "ssl_cert_reqs", "ssl_check_hostname"} if parts.scheme == TLS else {*DATABASE}
    if parts.scheme not in (TCP, TLS, *SOCKETS):
        raise ValueError(
            f"{parts.scheme or 'without a scheme'!r}: allowed are redis://, rediss:// and unix://"
        )
    if foreign := sorted(asked.keys() - known):
        raise ValueError(
            f"{', '.join(foreign)}: allowed after the question mark are {', '.join(sorted(known))}"
        )
    login: dict[str, Any] = {
        "username": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
    }
    if parts.scheme in SOCKETS:
        if not parts.path.strip("/") or parts.hostname:
            raise ValueError("a socket is named by its whole path: unix:///run/redis/redis.sock")
        return Broker(socket=unquote(parts.path), db=_number("", asked), **login)
    return Broker(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 6379,  # Raises ValueError, too, when it is no port.
        db=_number(parts.path, asked),
        tls=_tls(asked) if parts.scheme == TLS else None,
        **login,
    )


def _number(path: str, asked: Mapping[str, str]) -> int:
    """The number of the database: after the slash, or after the question mark."""
    words = {word for word in (path.strip("/"), *(asked[name] for name in DATABASE if name in asked)) if word}
    if len(words) > 1 or not all(word.isascii() and word.isdigit() for word in words):
        raise ValueError(f"the database is one number, not {' and '.join(sorted(words))}")
    return int(words.pop()) if words else 0


def _tls(asked: Mapping[str, str]) -> dict[str, Any]:
    """Who must prove what; unless told otherwise, Redis must show a certificate of its own name."""
    word = asked.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    if word not in CERTIFICATE:
        raise ValueError(f"ssl_cert_reqs={word}: allowed are {', '.join(CERTIFICATE)}")
    named = asked.get("ssl_check_hostname", "true").lower()
    if named not in FLAGS:
        raise ValueError(f"ssl_check_hostname={named}: allowed are true and false")
    files = {name: asked[name] for name in FILES if asked.get(name)}
    return {"ssl_cert_reqs": word, "ssl_check_hostname": FLAGS[named] and word != "none", **files}
