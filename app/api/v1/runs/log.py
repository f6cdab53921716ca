"""The log of a run: its pages and its fold."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import request

from app.api.http import envelope
from app.api.http.context import world
from app.api.http.envelope import Answer
from app.auth.tokens import filter_hash
from app.domain.errors import ValidationFailed
from app.domain.fold import fold
from app.record.runs import event_log
from app.services import present, spelling


def page(run: Mapping[str, Any], query: Mapping[str, Any]) -> Answer:
    """The events after a number or a cursor, a mebibyte at most, with pagination by their numbers."""
    mark, limit = filter_hash(list=request.path), query["limit"]
    after = query.get("after", 0)
    if "cursor" in query:
        after = world().cursors.decode(query["cursor"], mark)["seq"]
    rows = world().db.read(lambda tx: event_log.page(tx, run["id"], after=after, limit=limit))
    more = bool(rows) and rows[-1]["seq"] < run["event_seq"]
    pagination = {"total": run["event_seq"], "page": after // limit + 1, "pageSize": limit, "hasMore": more}
    headers = {}
    if more:
        pagination["nextCursor"] = cursor = world().cursors.encode({"seq": rows[-1]["seq"]}, mark)
        headers["Link"] = f'<{request.path}?{urlencode({"limit": limit, "cursor": cursor})}>; rel="next"'
    envelope.add_meta(pagination=pagination)
    return [present.event_object(row) for row in rows], None, headers


def state(run: Mapping[str, Any], as_of: int | None) -> dict[str, object]:
    """The fold of the log up to an event, which must exist."""
    last = run["event_seq"]
    if as_of is not None and as_of > last:
        raise ValidationFailed.of("asOf", f"The last event is {last}")
    until = last if as_of is None else as_of
    folded = world().db.read(lambda tx: fold(event_log.walk(tx, run["id"], until=until)))
    return {**spelling.state(folded), "asOf": until}
