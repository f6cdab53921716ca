"""The refusal of a definition."""

from collections.abc import Mapping

from app.domain.errors import Rejected


class InvalidDefinition(Rejected):
    """The definition of the batch is not valid."""

    code, status = "INVALID_DEFINITION", 422

    def __init__(self, code: str, message: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message, **(details or {}))
        self.code = code  # type: ignore[misc]


def too_many(what: str, most: int, found: int) -> InvalidDefinition:
    """A limit is exceeded: ``details`` has the name of the limit, its value and what was found."""
    message = f"{what} is {found}; at most {most} is allowed"
    return InvalidDefinition("LIMIT_EXCEEDED", message, {"limit": what, "maximum": most, "value": found})
