"""The files that pages load, under names that change with their content: browsers keep them for good."""

import hashlib
from functools import cache
from pathlib import Path

from flask import Response

from app.console.family import PUBLIC, ROOT, pages
from app.domain.errors import NotFound

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}
OFFERS = tuple(kind.partition(";")[0] for kind in TYPES.values())
KEPT = "public, max-age=31536000, immutable"


@cache
def _files() -> dict[str, bytes]:
    return {
        path.relative_to(FOLDER).as_posix(): path.read_bytes()
        for path in FOLDER.rglob("*")
        if path.suffix in TYPES
    }


@cache
def release() -> str:
    """One hash over all files: they change together, so that modules find each other by relative names."""
    hashed = hashlib.sha256()
    for name, content in sorted(_files().items()):
        hashed.update(name.encode() + b"\0" + content)
    return hashed.hexdigest()[:12]


def static(name: str) -> str:
    """The URL of a file; raises `KeyError` for one that does not exist."""
    assert name in _files(), name
    return f"{ROOT}/static/{release()}/{name}"


@pages.page("GET", "/static/<hash_>/<path:name>", scope=PUBLIC, offers=OFFERS)
def static_file(hash_: str, name: str) -> Response:
    """A file; one of another release is answered as it is now, and not kept."""
    content = _files().get(name)
    if content is None:
        raise NotFound(f"There is no file {name}.")
    response = Response(content, content_type=TYPES[Path(name).suffix])
    response.headers["Cache-Control"] = KEPT if hash_ == release() else "no-cache"
    return response
