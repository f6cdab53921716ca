"""Pages of lists: signed cursors, page numbers and the Link header (contracts/runs.rst#paging)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import request
from marshmallow import fields, validate

from app.api.http import envelope
from app.api.http.context import world
from app.api.http.schemas import Query
from app.auth.tokens import filter_hash
from app.domain.errors import ValidationFailed
from app.record.paging import EXACT_TOTAL, Page, Window

POSITION = ("limit", "page", "cursor")


class PageQuery(Query):
    """What every list accepts beside its filters."""

    limit = fields.Integer(
        load_default=20,
        validate=validate.Range(1, 100),
        metadata={"description": "Rows a page.", "example": 20},
    )
    page = fields.Integer(
        validate=validate.Range(1, EXACT_TOTAL),
        metadata={"description": "Number of the page, within the first 10,000 rows; `cursor` wins over it."},
    )
    cursor = fields.String(
        validate=validate.Length(1, 1024),
        metadata={"description": "`meta.pagination.nextCursor` of the page before, under the same filters."},
    )


def window(query: Mapping[str, Any]) -> Window:
    """The part of the list that a checked query asks for."""
    limit = query["limit"]
    if "cursor" in query:
        position = world().cursors.decode(query["cursor"], _filter(query))
        return Window(limit=limit, after=(position["at"], position["id"]))
    offset = (query.get("page", 1) - 1) * limit
    if offset + limit > EXACT_TOTAL:
        problem = f"reaches the first {EXACT_TOTAL} rows only; follow meta.pagination.nextCursor beyond"
        raise ValidationFailed(f"page: {problem}", fields={"page": problem}, limit=EXACT_TOTAL)
    return Window(limit=limit, offset=offset)


def answer(query: Mapping[str, object], page: Page, shown: envelope.Shown) -> envelope.Headed:
    """The rows as the answer of a list, with pagination in `meta` and the Link header."""
    pagination = {
        "total": page.total,
        **({"totalIsEstimate": True} if page.estimated else {}),
        "page": None if "cursor" in query else query.get("page", 1),  # A cursor has no number.
        "pageSize": query["limit"],
        "hasMore": page.more,
    }
    headers: dict[str, str] = {}
    if page.more:
        last = page.rows[-1]
        position = {"id": last["id"], "at": last["created_at"]}
        pagination["nextCursor"] = cursor = world().cursors.encode(position, _filter(query))
        asked = [
            (name, value) for name, value in request.args.items(multi=True) if name not in ("page", "cursor")
        ]
        headers["Link"] = f'<{request.path}?{urlencode([*asked, ("cursor", cursor)])}>; rel="next"'
    envelope.add_meta(pagination=pagination)
    return shown, None, headers


def _filter(query: Mapping[str, object]) -> str:
    """What a cursor is bound to: the list and its filters, whatever the size of a page."""
    return filter_hash(list=request.path, **{name: query[name] for name in query if name not in POSITION})
