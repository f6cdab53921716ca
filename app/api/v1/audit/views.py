"""The audit log (contracts/runs.rst#audit)."""

from typing import Any

from flask import Response

from app.api.http import paging
from app.api.http.context import world
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.v1 import examples
from app.api.v1.audit.schemas import AuditQuery, AuditShape, ExportQuery
from app.record.service.audit_log import AuditFilters
from app.services import audit as service

audit = Family("audit", "Who changed what, why, and through which door.")
CSV = "text/csv"


@audit.serve("GET", "/v1/audit", "listAudit", scope="admin")
@audit.arguments(AuditQuery, location="query")
@audit.response(200, AuditShape(many=True), example=[examples.AUDIT])
def list_audit(query: dict[str, Any]) -> Answer:
    """Changes, newest first; runs that were started say themselves who started them."""
    filters = {name: value for name, value in query.items() if name not in paging.POSITION}
    found = service.entries(world(), AuditFilters(**filters), paging.window(query))
    return paging.answer(query, found, [service.entry_object(row) for row in found.rows])


@audit.serve("GET", "/v1/audit/export", "exportAudit", scope="admin", offers=(CSV,))
@audit.arguments(ExportQuery, location="query")
@audit.response(200, {"type": "string"}, content_type=CSV, description="One line for each change.")
def export_audit(query: dict[str, Any]) -> Response:
    """The same as a file, newest first; the filters are those of the list."""
    limit = query.pop("limit")
    text = service.as_csv(world(), AuditFilters(**query), limit)
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return Response(text, mimetype=CSV, headers=headers)
