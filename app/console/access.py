"""Keys with their sessions, and the audit log."""

from flask import Response, request

from app.console import ask
from app.console.family import pages
from app.console.render import render

PAGE = 50
FILTERS = ("actor", "action", "resourceType", "resourceId")


@pages.page("GET", "/keys", scope="admin")
def keys() -> str:
    """API keys, and who is logged in with which."""
    known = ask.get("/v1/keys").data
    sessions = ask.get("/v1/sessions", limit=100).data
    names = {one["id"]: one["name"] for one in known}
    return render(
        "keys.html", title="Keys and sessions", rows=list(reversed(known)), sessions=sessions, names=names
    )


@pages.page("GET", "/audit", scope="admin")
def audit() -> str:
    """Who changed what, why, and through which door."""
    asked = {name: request.args.get(name, "").strip() for name in FILTERS}
    found = ask.get("/v1/audit", **asked, limit=PAGE, cursor=request.args.get("cursor"))
    return render("audit.html", title="Audit", rows=found.data, page=found.pagination, asked=asked)


@pages.page("GET", "/help", scope="runs:read")
def help_() -> str:
    """The keys, and what the words mean."""
    return render("help.html", title="Keys and words")


@pages.page("GET", "/<path:rest>", scope="runs:read")
def nothing(rest: str) -> Response:
    """A page that does not exist."""
    from app.domain.errors import NotFound

    raise NotFound(f"There is no page {rest}.")
