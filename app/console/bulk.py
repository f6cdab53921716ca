"""One action on many runs, selected ones or all of a list: first a count, then the action."""

from urllib.parse import urlencode

from flask import make_response, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from app.console import api_client
from app.console.api_client import Refused
from app.console.chips import NAMES, SEVERAL, question
from app.console.family import ROOT, pages
from app.console.render import form_key, now_ms, render
from app.domain.errors import ValidationFailed

PATH = "/v1/workflows/runs"
ACTIONS = ("retry", "cancel", "resume", "acknowledge")
FILTERS = frozenset((*NAMES, *SEVERAL, *(f"-{name}" for name in SEVERAL), "since"))
Object = dict[str, object]


@pages.page("POST", "/runs/bulk", scope="runs:write")
def bulk() -> ResponseReturnValue:
    """Show how many runs there are and which would be refused; with ``sure`` act on each of them."""
    action, chosen = request.form.get("action", ""), _chosen()
    if action not in ACTIONS or not chosen:
        raise ValidationFailed.of("id", f"Select runs or filter them, and one of {', '.join(ACTIONS)}")
    sure = bool(request.form.get("sure"))
    reason = request.form.get("reason", "").strip()
    body = {**chosen, **({"reason": reason} if reason and sure else {})}
    error, found = None, None
    try:
        query = {} if sure else {"dryRun": "true"}
        key = request.form.get("key") if sure else None
        found = api_client.post(f"{PATH}:{action}", body, query=query, key=key).data
    except Refused as refused:
        error = refused
    text = render(
        "bulk.html",
        title=f"{action.capitalize()} runs",
        action=action,
        found=found,
        error=error,
        form=[(name, value) for name, value in request.form.items(multi=True) if name in FILTERS | {"id"}],
        back=_back(),
        key=form_key(),
    )
    return make_response(text, error.status if error else 200)


def _chosen() -> Object:
    """The selection of runs: their ids, or the filters of the list."""
    ids = request.form.getlist("id")
    if ids:
        return {"ids": ids}
    asked = question(request.form, now_ms())
    if "tag" in asked:
        asked["tag"] = request.form.getlist("tag")
    return {"filter": asked} if asked else {}


def _back() -> str:
    """The address of the list that the request came from."""
    filters: MultiDict[str, str] = MultiDict(
        [(name, value) for name, value in request.form.items(multi=True) if name in FILTERS]
    )
    query = urlencode(list(filters.items(multi=True)))
    return f"{ROOT}/runs?{query}" if query else f"{ROOT}/runs"
