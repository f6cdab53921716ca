"""Ids in queries and bodies, in whose place a name may stand: see `app.services.naming`."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from app.api.http.context import world
from app.services import naming


class Reference(fields.String):
    """The id of a resource of one kind, its name, its serial number or a part of its id; an id inside."""

    def __init__(self, prefix: str, **kwargs: Any) -> None:
        about = {"description": "An id, or the name of what is meant.", "example": f"{prefix}_{SAMPLE}"}
        about["x-resource"] = KINDS[prefix]
        metadata = {**about, **kwargs.pop("metadata", {})}
        length = validate.Length(1, naming.LONGEST)
        super().__init__(validate=length, metadata=metadata, **kwargs)
        self.prefix = prefix

    def _deserialize(
        self, value: object, attr: str | None, data: Mapping[str, object] | None, **kwargs: object
    ) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        return text if not text or len(text) > naming.LONGEST else naming.id_of(world(), self.prefix, text)


# What kind of thing an id of this prefix names: forms offer those that there are.
KINDS = {
    "srv": "server",
    "pool": "pool",
    "cls": "cluster",
    "vm": "vm",
    "mgt": "management",
    "sch": "schedule",
}
SAMPLE = "01kc9v5q8w3f7x2m4n6p8r0t1v"
