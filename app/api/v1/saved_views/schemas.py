"""Bodies and answers about saved views."""

from marshmallow import fields, validate

from app.api.http.schemas import Body, Shape, instant, word

LONGEST = 2_000


class ViewBody(Body):
    """A view to save."""

    name = word(64, required=True, metadata={"example": "my failed installations"})
    query = fields.String(
        required=True,
        validate=validate.Regexp(rf"^[\x21-\x7e]{{1,{LONGEST}}}\Z", error="Must be the query of an address."),
        metadata={
            "example": "status=failed&type=server.provision",
            "description": "The part after the question mark of the page of runs.",
        },
    )


class ViewShape(Shape):
    """A saved view."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    query = fields.String(required=True)
    created_at = instant(required=True)
