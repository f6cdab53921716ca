"""Pages: API keys with their sessions, and the audit log."""

from flask import Response, request

from app.console import api_client
from app.console.family import pages
from app.console.render import render

PAGE = 50
FILTERS = ("actor", "action", "resourceType", "resourceId")


@pages.page("GET", "/keys", scope="admin")
def keys() -> str:
    """API keys with their sessions."""
    known = api_client.get("/v1/keys").data
    sessions = api_client.get("/v1/sessions", limit=100).data
    names = {one["id"]: one["name"] for one in known}
    return render(
        "keys.html", title="Keys and sessions", rows=list(reversed(known)), sessions=sessions, names=names
    )


@pages.page("GET", "/audit", scope="admin")
def audit() -> str:
    """The audit log."""
    asked = {name: request.args.get(name, "").strip() for name in FILTERS}
    found = api_client.get("/v1/audit", **asked, limit=PAGE, cursor=request.args.get("cursor"))
    return render("audit.html", title="Audit", rows=found.data, page=found.pagination, asked=asked)


@pages.page("GET", "/help", scope="runs:read")
def help_() -> str:
    """Keyboard shortcuts and terms."""
    return render("help.html", title="Keys and words")


@pages.page("GET", "/<path:rest>", scope="runs:read")
def nothing(rest: str) -> Response:
    """A page that does not exist."""
    from app.domain.errors import NotFound

    raise NotFound(f"There is no page {rest}.")
