"""Where webhooks may go: the judge that keeps them from being pointed at our own network (SSRF).

1. The URL is read strictly: https, no credentials, no fragment, a sensible port.
2. The name is resolved once. Numeric spellings (``0x7f000001``, ``127.1``, circled digits) need no rule of
   their own, because what is judged is the address they resolve to.
3. Every answer is judged; one that is not public refuses them all, unless the allow-list names it.
4. The judged addresses are pinned: the sender connects to them and asks no resolver again.

Ports: 80, 443 and 1024 to 65535. The other well-known ports belong to mail, shells and directories, which a
POST could be made to talk to.
"""

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, quote, urlsplit

import idna

from app.config import Settings, SettingsError
from app.domain.errors import ValidationFailed
from app.webhooks.addresses import Address, Network, reached, why_special

LONGEST_URL = 2048
MOST_ADDRESSES = 4
DEFAULT_PORTS = {"https": 443, "http": 80}

Resolver = Callable[[str, int], list[str]]

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_HOST_NAME = re.compile(r"[A-Za-z0-9-][A-Za-z0-9._-]*")


class Unresolved(ValidationFailed):
    """The host name has no address just now; a later attempt may find one."""


@dataclass(frozen=True, kw_only=True)
class Allow:
    """What an operator lets webhooks do beyond reaching public addresses over https."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = (
        frozenset()
    )  # ASCII, lower case, no trailing dot; all their addresses are allowed.
    http: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Allow":
        """The allow-list of the settings; raises `SettingsError` for an entry that is neither form."""
        networks, hosts = [], []
        for entry in filter(None, (part.strip() for part in settings.webhook_allow.split(","))):
            try:
                networks.append(ip_network(entry, strict=False))
            except ValueError:
                hosts.append(_allowed_host(entry))
        return cls(networks=tuple(networks), hosts=frozenset(hosts), http=settings.webhook_allow_http)


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """A judged destination: the request goes to these addresses and no others."""

    scheme: str  # https, or http where allowed.
    host: str  # ASCII name or address without brackets; for SNI, the certificate and the Host header.
    port: int
    addresses: tuple[str, ...]  # Every one of them judged, in the resolver's order.
    target: str  # Path and query, ASCII.

    @property
    def address(self) -> str:
        """The address that is tried first."""
        return self.addresses[0]

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def resolve(host: str, port: int) -> list[str]:
    """Every address of a host name, in the order in which this machine would try them."""
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unresolved.of("url", "The host name has no address just now") from error
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def within(seconds: float, resolver: Resolver) -> Resolver:
    """The resolver with a time limit: the system's own may take half a minute and cannot be interrupted."""

    def bounded(host: str, port: int) -> list[str]:
        found: list[list[str]] = []
        asking = threading.Thread(target=lambda: _ask(resolver, host, port, found), daemon=True)
        asking.start()
        asking.join(seconds)
        return found[0] if found else []

    return bounded


def judge(url: str, allow: Allow, resolver: Resolver = resolve) -> Pinned:
    """Where a webhook with this URL is sent; raises `ValidationFailed` on ``url`` with the reason.

    `Unresolved`, a kind of it, means that the name has no address just now.
    """
    parts = _read(url, allow)
    host, port = _host_of(parts), _port_of(parts)
    answers = resolver(host, port)
    if not answers:
        raise Unresolved.of("url", "The host name has no address just now")
    for answer in answers:
        _judge_address(ip_address(answer), host, allow)
    return Pinned(
        scheme=parts.scheme,
        host=host,
        port=port,
        addresses=tuple(answers[:MOST_ADDRESSES]),
        target=_target_of(parts),
    )


def _ask(resolver: Resolver, host: str, port: int, found: list[list[str]]) -> None:
    with suppress(Unresolved):
        found.append(resolver(host, port))


def _read(url: str, allow: Allow) -> SplitResult:
    if len(url) > LONGEST_URL or _FORBIDDEN.search(url):
        raise ValidationFailed.of("url", f"Has spaces or backslashes, or more than {LONGEST_URL} characters")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValidationFailed.of("url", "Is not a URL") from error
    if parts.scheme not in (("https", "http") if allow.http else ("https",)):
        raise ValidationFailed.of("url", "Must begin with https://")
    if "@" in parts.netloc or "#" in url:
        raise ValidationFailed.of("url", "Must have neither credentials nor a fragment")
    return parts


def _host_of(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if "[" not in parts.netloc:
        return _ascii(host)
    try:
        address = IPv6Address(host)
    except ValueError as error:
        raise ValidationFailed.of("url", "Has no valid IPv6 address") from error
    if address.scope_id:
        raise ValidationFailed.of("url", "Must not name a network interface")
    return str(address)


def _ascii(host: str) -> str:
    """The name as the resolver and the certificate know it; raises `ValidationFailed` when it is none.

    As browsers do it: IDNA 2008 after the mapping of UTS 46. Python's own codec speaks IDNA 2003, in which
    faß.de is another domain.
    """
    if host.isascii():
        name = host.lower().removesuffix(".")
    else:
        try:
            name = idna.encode(host, uts46=True, transitional=False).decode().lower().removesuffix(".")
        except (idna.IDNAError, UnicodeError) as error:
            raise ValidationFailed.of("url", f"Has no valid host name (IDNA 2008: {error})") from error
    if not _HOST_NAME.fullmatch(name) or not all(0 < len(label) < 64 for label in name.split(".")):
        raise ValidationFailed.of("url", "Has no valid host name")
    return name


def _allowed_host(entry: str) -> str:
    try:
        return _ascii(entry)
    except ValidationFailed as error:
        raise SettingsError(f"WINDLASS_WEBHOOK_ALLOW: {entry!r} is neither a network nor a host") from error


def _port_of(parts: SplitResult) -> int:
    try:
        port = DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    except ValueError as error:
        raise ValidationFailed.of("url", "Has no valid port") from error
    if port not in (80, 443) and port < 1024:
        raise ValidationFailed.of("url", "The port must be 80, 443 or 1024 to 65535")
    return port


def _target_of(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return f"{path}?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else path


def _judge_address(address: Address, host: str, allow: Allow) -> None:
    named = any(one in network for one in reached(address) for network in allow.networks)
    if named or host in allow.hosts:
        return
    # The address itself stays unsaid: receivers' owners have no business reading our internal names.
    if reason := why_special(address):
        raise ValidationFailed.of("url", f"Leads to an address that is not public ({reason})")
