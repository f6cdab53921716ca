"""What a hook answers (contract 1, A.8a)."""

from marshmallow import fields

from app.api.http.schemas import Shape


class HookAnswer(Shape):
    """That the call was taken."""

    run_id = fields.String(required=True)
    step = fields.String(required=True)
    accepted_at = fields.String(required=True)
