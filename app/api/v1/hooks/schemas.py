"""What a hook answers (contracts/runs.rst#servers-pools-and-hooks)."""

from marshmallow import fields

from app.api.http.schemas import Shape, instant


class HookAnswer(Shape):
    """That the call was taken."""

    run_id = fields.String(required=True)
    step = fields.String(required=True)
    accepted_at = instant(required=True)
