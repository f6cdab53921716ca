"""Errors in one body for two conventions: RFC 9457 and ``success``/``error`` (contracts/runs.rst#errors).

Where answers have no envelope (contracts/code-workflows.rst#endpoints) the body is ``error`` alone. Batches
have ``{success: false, error, code, details}``, in which ``error`` is a sentence.
"""

import http
import traceback

import structlog
from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app.api.http import envelope
from app.api.http.bodies import MEBIBYTE
from app.domain.errors import (
    ConnectionRefused,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    Rejected,
    Unavailable,
    UnsupportedMediaType,
    ValidationFailed,
    WindlassError,
)
from app.record import trouble

PROBLEM, BARE = "application/problem+json", "application/json"
BARE_PATH = "/api/"
BATCH_PATH = "/v1/workflows/batch"
RETRY_AFTER_S = 2

_FOREIGN: dict[int, type[Rejected]] = {
    404: NotFound,
    405: MethodNotAllowed,
    406: NotAcceptable,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
}
_log = structlog.get_logger("api")


def register(app: Flask) -> None:
    """Answer every error of this application in the same shape."""
    app.register_error_handler(WindlassError, answer)
    app.register_error_handler(HTTPException, _foreign)
    # Whatever nobody expected must still leave as a problem body, without its innards.
    app.register_error_handler(Exception, _unexpected)


def body(error: WindlassError) -> dict[str, object]:
    """The error with the members of RFC 9457, or as the family of the path says it."""
    if request.path.startswith(BARE_PATH):
        return {"error": error_body(error)}
    if is_batch(request.path):
        return refusal(error)
    return {
        "type": f"/docs/problems#{error.code.lower().replace('_', '-')}",
        "title": http.HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.message,
        "instance": request.path,
        "success": False,
        "error": error_body(error),
        "meta": envelope.meta(),
    }


def refusal(error: WindlassError) -> dict[str, object]:
    """The error as batches say it."""
    details = {"details": error.details} if error.details else {}
    return {"success": False, "error": error.message, "code": error.code, **details}


def error_body(error: WindlassError) -> dict[str, object]:
    """The ``error`` member: code, message and details."""
    details = {"details": error.details} if error.details else {}
    return {"code": error.code, "message": error.message, **details}


def answer(error: WindlassError) -> Response:
    """The response for an error of ours; one that has status 500 shows its class's words only."""
    if error.status >= 500 and not isinstance(error, Rejected):
        _log.error("request.failed", requestId=g.request_id, trace=_trace(error))
        error = _blank()
    if isinstance(error, ConnectionRefused):
        _log.error("request.failed", requestId=g.request_id, error=error.message)
        error = error.public
    response = jsonify(body(error))
    response.status_code, response.mimetype = error.status, _media_type()
    if isinstance(error, Unavailable | RateLimited):
        response.headers["Retry-After"] = str(error.details.get("retryAfter", RETRY_AFTER_S))
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="windlass"'
    return response


def _foreign(error: HTTPException) -> Response:
    if error.code is not None and 300 <= error.code < 400:
        return error.get_response()  # type: ignore[return-value]
    if isinstance(error, RequestEntityTooLarge):
        most = (request.max_content_length or MEBIBYTE + 1) - 1
        return answer(PayloadTooLarge(f"The body has more than {most} bytes.", limit=most))
    kind = _FOREIGN.get(error.code or 500)
    if kind is None and (error.code or 500) < 500:
        return answer(ValidationFailed(error.description or "The request is not valid."))
    response = answer(kind() if kind else _blank())
    allow = error.get_headers()
    response.headers.extend((name, value) for name, value in allow if name == "Allow")
    return response


def _unexpected(error: Exception) -> Response:
    if isinstance(error, OSError) and error.errno in trouble.EXHAUSTED:
        _log.error("request.failed", requestId=g.get("request_id"), error=str(error))
        return answer(Unavailable("The service can open no further files or connections just now."))
    _log.error("request.crashed", requestId=g.get("request_id"), trace=_trace(error))
    return answer_blank()


def answer_blank() -> Response:
    """500 INTERNAL_ERROR without a word about the inside."""
    response = jsonify(body(_blank()))
    response.status_code, response.mimetype = 500, _media_type()
    return response


def is_batch(path: str) -> bool:
    """Whether batches are asked for."""
    return path == BATCH_PATH or path.startswith(f"{BATCH_PATH}/")


def _media_type() -> str:
    return BARE if request.path.startswith(BARE_PATH) or is_batch(request.path) else PROBLEM


def _trace(error: Exception) -> str:
    # Never with the values of variables: some are credentials.
    return "".join(traceback.format_exception(error))


def _blank() -> WindlassError:
    return WindlassError("Something went wrong here; the log has more under this request id.")
