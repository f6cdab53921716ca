"""Queries and answers about the service as a whole."""

from marshmallow import fields, validate

from app.api.http.schemas import Query, Shape, instant, one_of, word
from app.services.search import PATHS, SHORTEST


class SearchQuery(Query):
    """What is looked for."""

    q = word(128, shortest=SHORTEST, required=True, metadata={"example": "rack-7"})
    limit = fields.Integer(load_default=20, validate=validate.Range(1, 50))


class Hit(Shape):
    """Something that may be meant."""

    kind = one_of(*sorted(PATHS), required=True)
    id = fields.String(required=True)
    name = fields.String(allow_none=True, metadata={"description": "Of a run, its type."})
    state = fields.String(allow_none=True)
    href = fields.String(required=True, metadata={"description": "Where it is read."})


class TableSize(Shape):
    """How large a table is, by the database's own guess."""

    name = fields.String(required=True)
    rows = fields.Integer(required=True)
    bytes = fields.Integer(required=True)


class DatabaseFacts(Shape):
    """The database."""

    kind = one_of("postgresql", "sqlite", required=True)
    revision = fields.String(allow_none=True)
    newest = fields.String(required=True, metadata={"description": "The revision that this release needs."})
    bytes = fields.Integer(required=True)
    tables = fields.List(fields.Nested(TableSize), required=True)


class Setting(Shape):
    """A setting in force."""

    variable = fields.String(required=True)
    value = fields.Raw(allow_none=True, metadata={"description": "Of a secret only whether it is set."})


class AboutShape(Shape):
    """What this service is."""

    release = fields.String(required=True)
    python = fields.String(required=True)
    region = fields.String(required=True)
    url = fields.String(required=True)
    time = instant(required=True, metadata={"description": "By the clock of the database."})
    database = fields.Nested(DatabaseFacts, required=True)
    retention_days = fields.Integer(required=True)
    audit_days = fields.Integer(required=True)
    settings = fields.List(
        fields.Nested(Setting), allow_none=True, metadata={"description": "For the scope admin."}
    )


class Finding(Shape):
    """Something that does not hold."""

    invariant = fields.String(required=True)
    run = fields.String(required=True, allow_none=True)
    what = fields.String(required=True)
    todo = fields.String(required=True)


class DoctorShape(Shape):
    """Whether everything holds."""

    ok = fields.Boolean(required=True)
    findings = fields.List(fields.Nested(Finding), required=True)
