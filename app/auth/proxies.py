"""How a request looks that came through a proxy: trust in this very machine does not reach through one."""

from collections.abc import Iterable

PREFIX = "x-forwarded"
TRACES = frozenset(
    {
        *("forwarded", "via", "x-original-forwarded-for", "x-real-ip", "x-client-ip", "x-cluster-client-ip"),
        *("true-client-ip", "cf-connecting-ip", "x-envoy-external-address"),
    }
)


def came_through_one(headers: Iterable[str]) -> bool:
    """Whether one of these names of headers, in whatever case, is what proxies add."""
    names = (name.lower() for name in headers)
    return any(name in TRACES or name.startswith(PREFIX) for name in names)
