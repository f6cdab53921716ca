"""Errors in the DevKit's shape. Its clients read the status: a 4xx is final, after a 5xx they try again."""

import http
import json
import traceback

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from app.api.apps.bodies import answer
from app.domain.apps.refusal import Refused
from app.domain.errors import WindlassError
from app.record import trouble
from app.serving.refusals import Answer
from app.serving.refusals import Refused as RefusedByServer

RETRY_AFTER_S = 2
TOO_LARGE = "Request body is too large"
_log = structlog.get_logger("apps")


def register(app: Flask) -> None:
    """Answer every error of this application in one shape."""
    app.register_error_handler(HTTPException, _foreign)
    app.register_error_handler(Exception, of)


def of(error: Exception) -> Response:
    """The response to any exception; needs no request context of Flask."""
    if isinstance(error, Refused):
        return refused(error)
    if isinstance(error, WindlassError):
        return _ours(error)
    # An unexpected error must have this shape as well, and must not reveal internals.
    return _unexpected(error)


def refused(error: Refused) -> Response:
    """The response to a refusal."""
    shown = error.message if error.status < 500 else http.HTTPStatus(error.status).phrase
    body: dict[str, object] = {"statusCode": error.status}
    if error.code:
        body["code"] = error.code
    body |= {"error": shown, "message": error.message}
    if error.meta:
        body["meta"] = dict(error.meta)
    made = answer(body, error.status)
    if error.status == 503:
        made.headers["Retry-After"] = str(RETRY_AFTER_S)
    return made


def of_server(error: RefusedByServer) -> Answer:
    """Status, headers and body for a request that the HTTP server itself refuses."""
    message = TOO_LARGE if error.status == 413 else error.message
    body = {"statusCode": error.status, "error": message, "message": message}
    headers = [("content-type", "application/json; charset=utf-8"), ("connection", "close")]
    if error.retry_after is not None:
        headers.append(("retry-after", str(error.retry_after)))
    return error.status, headers, json.dumps(body).encode()


def _ours(error: WindlassError) -> Response:
    """Transient errors become 503, whatever their status is in the main API: clients then try again."""
    if error.status in (409, 429, 503):
        _log.warning("request.unavailable", error=error.message)
        return refused(Refused(503, "The service cannot answer just now; try again"))
    if error.status >= 500:
        return _unexpected(error)
    return refused(Refused(error.status, error.message))


def _foreign(error: HTTPException) -> Response:
    status = error.code or 500
    if status in (404, 405):
        path = request.full_path.removesuffix("?")
        miss = f"Route {request.method}:{path} not found"
        return answer({"message": miss, "error": "Not Found", "statusCode": 404}, 404)
    if status == 413:
        return refused(Refused(413, TOO_LARGE))
    if status < 400:
        return error.get_response()  # type: ignore[return-value]
    return refused(Refused(status, error.description or http.HTTPStatus(status).phrase))


def _unexpected(error: Exception) -> Response:
    if isinstance(error, OSError) and error.errno in trouble.EXHAUSTED:
        _log.error("request.failed", error=str(error))
        return refused(Refused(503, "The service can open no further files or connections just now"))
    # Without the values of variables, which include payloads and tokens.
    _log.error("request.crashed", trace="".join(traceback.format_exception(error)))
    return refused(Refused(500, "Internal Server Error"))
