"""The refusals of an API server: each is a Status object with a code, a reason and details."""

from app.lab.http import Response
from app.lab.kube.kinds import Kind


class Refused(Exception):
    """The server does not do what it was asked to."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = headers or {}

    def status(self) -> dict[str, object]:
        """The Status object that tells it."""
        details = {"details": self.details} if self.details else {}
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **details,
            "code": self.code,
        }

    def response(self) -> Response:
        """The answer that tells it."""
        return Response(status=self.code, body=self.status(), headers=self.headers)


def _about(kind: Kind, name: str) -> dict[str, object]:
    return {"name": name, **({"group": kind.group} if kind.group else {}), "kind": kind.plural}


def not_found(kind: Kind, name: str) -> Refused:
    """404: no such object."""
    return Refused(404, "NotFound", f'{kind.id} "{name}" not found', details=_about(kind, name))


class Unserved(Refused):
    """404: nobody serves this path; the one refusal without a Status, for no API speaks here."""

    def __init__(self) -> None:
        super().__init__(404, "NotFound", "404 page not found")

    def response(self) -> Response:
        """The answer as the last of all handlers gives it."""
        headers = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
        return Response(status=404, body=b"404 page not found\n", headers=headers)


def no_such_path() -> Refused:
    """404: no such resource."""
    return Unserved()


def already_exists(kind: Kind, name: str) -> Refused:
    """409: the name is taken."""
    return Refused(409, "AlreadyExists", f'{kind.id} "{name}" already exists', details=_about(kind, name))


def conflict(kind: Kind, name: str, why: str, causes: list[dict[str, str]] | None = None) -> Refused:
    """409: the object is not in the state that the request takes for granted."""
    details = _about(kind, name) | ({"causes": causes} if causes else {})
    message = why if causes else f'Operation cannot be fulfilled on {kind.id} "{name}": {why}'
    return Refused(409, "Conflict", message, details=details)


def stale(kind: Kind, name: str) -> Refused:
    """409: somebody else was faster."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(kind, name, why)


def invalid(kind: Kind, name: str, causes: list[tuple[str, str]]) -> Refused:
    """422: fields that may not be as they are, each with what is wrong."""
    listed = [{"reason": "FieldValueInvalid", "message": text, "field": field} for field, text in causes]
    told = [f"{field}: {text}" for field, text in causes]
    text = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    details = {**_about(kind, name), "kind": kind.kind, "causes": listed}
    return Refused(422, "Invalid", f'{_typed(kind)} "{name}" is invalid: {text}', details=details)


def _typed(kind: Kind) -> str:
    return f"{kind.kind}.{kind.group}" if kind.group else kind.kind


def forbidden(kind: Kind, name: str, why: str) -> Refused:
    """403: the user may not, or the server does not let anybody."""
    about = f'{kind.id} "{name}"' if name else kind.id
    return Refused(403, "Forbidden", f"{about} is forbidden: {why}", details=_about(kind, name))


def denied(webhook: str, why: str) -> Refused:
    """403: an admission webhook said no."""
    return Refused(403, "Forbidden", f'admission webhook "{webhook}" denied the request: {why}')


def unauthorized() -> Refused:
    """401: the token is unknown or has expired."""
    return Refused(401, "Unauthorized", "Unauthorized")


def bad_request(why: str) -> Refused:
    """400: the request makes no sense."""
    return Refused(400, "BadRequest", why)


def unsupported(allowed: str) -> Refused:
    """415: not a media type that is understood here."""
    why = f"the body of the request was in an unknown format - accepted media types include: {allowed}"
    return Refused(415, "UnsupportedMediaType", why)


def not_allowed() -> Refused:
    """405: the resource does not know this verb."""
    why = "the server does not allow this method on the requested resource"
    return Refused(405, "MethodNotAllowed", why, details={})


def expired(why: str) -> Refused:
    """410: what was asked for is no longer kept."""
    return Refused(410, "Expired", why)


def too_many(retry_after: int) -> Refused:
    """429: come back later."""
    return Refused(
        429,
        "TooManyRequests",
        "the server has received too many requests and has asked us to try again later",
        details={"retryAfterSeconds": retry_after},
        headers={"Retry-After": str(retry_after)},
    )


def broken(code: int) -> Refused:
    """5xx: the server is not well."""
    reasons = {500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}
    return Refused(code, reasons.get(code, "Unknown"), "the server is currently unable to handle the request")
