"""Which addresses are public: our own table of special ranges.

Sources: the IANA registries of IPv4 and IPv6 special-purpose addresses and of IPv6 unicast space,
RFC 5771 and 4291 (multicast), RFC 6052 and 8215 (NAT64), RFC 7526 (6to4), RFC 4380 (Teredo), and two
addresses that clouds answer on. The standard library's ``is_global`` calls fifteen of these public.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SPECIAL: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(text), reason)
    for text, reason in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by carriers"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "host of the Azure cloud"),
        ("169.254.0.0/16", "link-local, cloud metadata"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments, cloud metadata"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "AS112 service"),
        ("192.52.193.0/24", "multicast tunnels"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "AS112 service"),
        ("198.18.0.0/15", "benchmarks"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved or broadcast"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::/96", "IPv4-compatible"),
        ("::ffff:0:0:0/96", "IPv4-translated"),
        ("64:ff9b:1::/48", "local NAT64"),
        ("100::/64", "discard"),
        ("100:0:0:1::/64", "dummy prefix"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "protocol assignments"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("2620:4f:8000::/48", "AS112 service"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment routing"),
        ("fc00::/7", "unique local, cloud metadata"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
UNICAST = IPv6Network("2000::/3")  # The only IPv6 space that IANA hands out for public use.

# Prefixes that carry an IPv4 address, and where they carry it.
EMBEDDINGS: tuple[tuple[IPv6Network, Callable[[int], int]], ...] = (
    (IPv6Network("::ffff:0:0/96"), lambda bits: bits),
    (IPv6Network("64:ff9b::/96"), lambda bits: bits),
    (IPv6Network("::ffff:0:0:0/96"), lambda bits: bits),
    (IPv6Network("64:ff9b:1::/48"), lambda bits: bits),
    (IPv6Network("2002::/16"), lambda bits: bits >> 80),
    (IPv6Network("2001::/32"), lambda bits: ~bits),
)
# Here the packet really goes to the IPv4 address inside, so that address alone decides.
TRANSPARENT = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))


def why_special(address: Address) -> str | None:
    """Why an address is not public, None when it is; embedded IPv4 addresses are judged as well."""
    inner = embedded(address)
    if inner is not None and (reason := why_special(inner)):
        return f"carries an IPv4 address: {reason}"
    if _in_any(address, TRANSPARENT):
        return None
    listed = next((reason for network, reason in SPECIAL if address in network), None)
    if listed is None and address.version == 6 and address not in UNICAST:
        return "outside the public IPv6 space"
    return listed


def embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address carries, if it has one of the known prefixes."""
    for network, place in EMBEDDINGS:
        if address in network:
            return IPv4Address(place(int(address)) & 0xFFFF_FFFF)
    return None


def reached(address: Address) -> tuple[Address, ...]:
    """The addresses under which an allow-list may name this one."""
    inner = embedded(address)
    return (address, inner) if inner is not None and _in_any(address, TRANSPARENT) else (address,)


def _in_any(address: Address, networks: tuple[IPv6Network, ...]) -> bool:
    return any(address in network for network in networks)
