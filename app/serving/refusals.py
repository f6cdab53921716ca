"""Refusals by the server itself, before the application is called, in the shape of the API's own."""

import http
import json
import time

from app.domain.clock import rfc3339
from app.domain.ids import request_id

Header = tuple[str, str]
Answer = tuple[int, list[Header], bytes]  # Status, headers and body.


class Refused(Exception):
    """The request does not reach the application."""

    path = ""  # What was asked for, where the head could be read.

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after

    def answer(self) -> Answer:
        """Status, headers and body; the connection is closed, since the rest of a body may still come."""
        asked = request_id("local")
        body = {
            "type": f"/docs/problems#{self.code.lower().replace('_', '-')}",
            "title": http.HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.message,
            "success": False,
            "error": {"code": self.code, "message": self.message},
            "meta": {"requestId": asked, "timestamp": rfc3339(time.time_ns() // 1_000_000)},
        }
        headers = [
            ("content-type", "application/problem+json"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("connection", "close"),
            ("x-request-id", asked),
        ]
        if self.retry_after is not None:
            headers.append(("retry-after", str(self.retry_after)))
        return self.status, headers, json.dumps(body).encode()


def bad_request(message: str) -> Refused:
    """What HTTP itself does not allow."""
    return Refused(400, "VALIDATION_ERROR", message)


def too_large(limit: int) -> Refused:
    """A body that is too long."""
    return Refused(413, "PAYLOAD_TOO_LARGE", f"The body has more than {limit} bytes.")


def too_slow(seconds: float) -> Refused:
    """A body that did not arrive in time."""
    return Refused(408, "REQUEST_TIMEOUT", f"The body did not arrive within {seconds:g} s.")


def too_many() -> Refused:
    """More requests than the threads can take."""
    return Refused(503, "UNAVAILABLE", "Too many requests wait already; repeat this one later.", 1)


def broken() -> Refused:
    """The application failed where it should have answered by itself."""
    return Refused(500, "INTERNAL_ERROR", "Something went wrong here; the log has more.")
