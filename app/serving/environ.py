"""The head of a request as WSGI wants it (PEP 3333); no header changes where a request is routed."""

import sys
from typing import Any

from app.serving.refusals import bad_request

# A process serves many connections at a time by threads, and has siblings.
_ALWAYS: dict[str, object] = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}
_BARE = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
ONCE = frozenset({"authorization", "content-length", "content-type", "host", "idempotency-key"})


def environ_of(scope: Any) -> dict[str, object]:
    """The environment of one request, without its body; raises `Refused` for a head that means two things."""
    server, _, port = scope.server.rpartition(":")
    made = {
        **_ALWAYS,
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": scope.path.encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_PROTOCOL": "HTTP/1.0" if scope.http_version == "1" else f"HTTP/{scope.http_version}",
        "SERVER_NAME": server.strip("[]"),
        "SERVER_PORT": port,
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.url_scheme": scope.scheme,
    }
    names = set()
    for name, value in scope.headers.items():
        if name in names and name in ONCE:
            raise bad_request(f"The header {name} is given more than once.")
        names.add(name)
        if "_" in name:
            continue  # WSGI maps x_y and x-y to the same key: a client could forge a header of a proxy.
        key = _BARE.get(name) or "HTTP_" + name.upper().replace("-", "_")
        made[key] = f"{made[key]},{value}" if key in made else value
    if len(names) != len(scope.headers):
        raise bad_request("A header holds characters that are not visible ASCII.")
    if scope.http_version == "1.1" and "HTTP_HOST" not in made:
        raise bad_request("A request of HTTP/1.1 needs the header Host.")
    if scope.authority is not None:
        made["HTTP_HOST"] = scope.authority  # RFC 9112, 3.2.2: it stands above the header.
    return made
