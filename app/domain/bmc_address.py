"""The address of a management controller in one form, so that one controller cannot be two servers."""

import ipaddress
import re

PORTS = {"ipmi": 623, "redfish": 443}  # The protocol's own port.
TAKEN = "a host name in ASCII, an IPv4 address or an IPv6 address in brackets, with or without a port"
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# What resolvers read as a number of IPv4, in whatever base: 0x7f.1, 2130706433, 010.9.0.3.
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_PORT = re.compile(r"0*([0-9]{1,5})")


def normal(text: str, protocol: str) -> str:
    """``host:port``: lower case, the shortest form of IPv6 in brackets, the port always written.

    Raises `ValueError` with a sentence that says what is wrong.
    """
    host, port = _split(text.strip(" "), text)
    number = PORTS[protocol] if port is None else _port(port)
    return f"{_host(host, text)}:{number}"


def split(address: str) -> tuple[str, int]:
    """Host, without brackets, and port of an address in normal form."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _split(given: str, text: str) -> tuple[str, str | None]:
    """Host and port as written; no port where none is."""
    if given.startswith("["):
        inner, bracket, rest = given[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")) or ":" not in inner:
            raise _refused(text)
        return inner, rest[1:] if rest else None
    if given.count(":") > 1:  # An IPv6 address without brackets has no room for a port.
        return given, None
    host, colon, port = given.partition(":")
    return host, port if colon else None


def _host(host: str, text: str) -> str:
    host = host.lower() if host.isascii() else ""
    if ":" in host:
        return _ipv6(host, text)
    host = host.removesuffix(".")
    if _NUMERIC.fullmatch(host):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise _refused(text) from None
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise _refused(text)
    return host


def _ipv6(host: str, text: str) -> str:
    """The compressed form; an IPv4 address that is only written as IPv6 is IPv4."""
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        raise _refused(text) from None
    if address.scope_id is not None and not re.fullmatch(r"[a-z0-9._-]{1,32}", address.scope_id):
        raise _refused(text)
    return str(address.ipv4_mapped) if address.ipv4_mapped else f"[{address}]"


def _port(port: str) -> int:
    found = _PORT.fullmatch(port)  # ASCII digits alone: other digits are numbers to Python, too.
    number = int(found[1]) if found else 0
    if not 0 < number < 65_536:
        raise ValueError(f"{port!a} is not a port; allowed are 1 to 65535")
    return number


def _refused(text: str) -> ValueError:
    return ValueError(f"{text!a} is not the address of a controller; allowed are {TAKEN}")
