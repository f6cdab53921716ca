"""Windlass for programs: a typed client of the service."""

from windlass.accepted import Accepted
from windlass.client import Client
from windlass.errors import (
    Conflict,
    ConnectionFailed,
    Forbidden,
    Gone,
    InvalidState,
    NotFound,
    PreconditionFailed,
    RateLimited,
    Unauthorized,
    Unavailable,
    ValidationError,
    WaitTimeout,
    WindlassError,
)
from windlass.models import (
    Delivery,
    Event,
    Lock,
    Metrics,
    Plan,
    Pool,
    Run,
    RunError,
    Server,
    Step,
    WaitingOn,
    Webhook,
    WorkflowType,
)
from windlass.pages import Page
from windlass.retries import Retries
from windlass.transport import HttpxTransport, Request, Response, Transport

__all__ = [
    "Accepted",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "Delivery",
    "Event",
    "Forbidden",
    "Gone",
    "HttpxTransport",
    "InvalidState",
    "Lock",
    "Metrics",
    "NotFound",
    "Page",
    "Plan",
    "Pool",
    "PreconditionFailed",
    "RateLimited",
    "Request",
    "Response",
    "Retries",
    "Run",
    "RunError",
    "Server",
    "Step",
    "Transport",
    "Unauthorized",
    "Unavailable",
    "ValidationError",
    "WaitTimeout",
    "WaitingOn",
    "Webhook",
    "WindlassError",
    "WorkflowType",
]
