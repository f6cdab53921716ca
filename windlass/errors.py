"""Every error a client raises, as one tree.

WindlassError
 ├─ ValidationError 4xx        the request is not valid; `fields` names what is wrong
 ├─ Unauthorized        401   the API key is missing or unknown
 ├─ Forbidden           403   the API key lacks the scope, or a quota is used up
 ├─ NotFound            404   there is no such resource
 ├─ Conflict            409   something else is in the way, e.g. another run holds the lock
 │   ├─ InvalidState          the present state does not allow this
 │   └─ PreconditionFailed 412 the resource changed since it was read
 ├─ Gone                410   this was used or has expired
 ├─ Unavailable         503   the service cannot answer just now
 │   ├─ RateLimited     429   too many requests
 │   └─ ConnectionFailed      the service could not be reached, or the connection was lost
 └─ WaitTimeout               the run has not ended in the time given
"""

from collections.abc import Mapping
from typing import Any

from windlass.batchmodels import Batch
from windlass.models import Run
from windlass.workflowruns import WorkflowRun


class WindlassError(Exception):
    """The service could not do what was asked.

    ``code`` is the public code of the contract (``NOT_FOUND``), ``status`` the HTTP status or 0 when there
    was no answer, ``fields`` the message for each wrong field, ``request_id`` names the request in the
    service's logs.
    """

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str = "INTERNAL_ERROR",
        status: int = 0,
        details: Mapping[str, Any] | None = None,
        request_id: str | None = None,
    ) -> None:
        self.message = message or (type(self).__doc__ or "").splitlines()[0]
        self.code = code
        self.status = status
        self.details: Mapping[str, Any] = details or {}
        self.request_id = request_id
        super().__init__(self.message)

    @property
    def fields(self) -> Mapping[str, str]:
        """What is wrong with each field of the request; empty when it is not about fields."""
        fields = self.details.get("fields")
        return fields if isinstance(fields, Mapping) else {}


class ValidationError(WindlassError):
    """The request is not valid."""


class Unauthorized(WindlassError):
    """A valid API key is required."""


class Forbidden(WindlassError):
    """The API key does not allow this."""


class NotFound(WindlassError):
    """There is no such resource."""


class Conflict(WindlassError):
    """Something else is in the way."""


class InvalidState(Conflict):
    """The present state does not allow this."""


class PreconditionFailed(Conflict):
    """The resource changed since it was read."""


class Gone(WindlassError):
    """This was used or has expired."""


class Unavailable(WindlassError):
    """The service cannot answer just now."""


class RateLimited(Unavailable):
    """Too many requests."""


class ConnectionFailed(Unavailable):
    """The service could not be reached, or the connection was lost.

    ``sent`` is false only when the service cannot have seen the request.
    """

    def __init__(self, message: str | None = None, *, sent: bool = True) -> None:
        super().__init__(message, code="CONNECTION_FAILED")
        self.sent = sent


class WaitTimeout(WindlassError):
    """The run or batch has not ended in the time given; ``run`` is how it was last seen."""

    def __init__(self, message: str, run: Run | WorkflowRun | Batch) -> None:
        super().__init__(message, code="WAIT_TIMEOUT")
        self.run = run


_BY_CODE: dict[str, type[WindlassError]] = {"INVALID_STATE_TRANSITION": InvalidState}
_BY_STATUS: dict[int, type[WindlassError]] = {
    400: ValidationError,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: PreconditionFailed,
    413: ValidationError,
    415: ValidationError,
    422: ValidationError,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def error_of(status: int, body: Any, request_id: str | None = None) -> WindlassError:
    """The error that an answer means: by its code where one says more than the status."""
    body = body if isinstance(body, Mapping) else {}
    told = body.get("error")
    if isinstance(told, str):  # Batches say it so.
        told = {"message": told, "code": body.get("code"), "details": body.get("details")}
    told = told if isinstance(told, Mapping) else {}
    code = str(told.get("code") or "INTERNAL_ERROR")
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, WindlassError)
    return kind(
        str(told.get("message") or body.get("detail") or f"The service answered with status {status}."),
        code=code,
        status=status,
        details=told.get("details"),
        request_id=request_id,
    )
