"""What talks to the service: loaded when the first of these names is asked for.

What needs the HTTP library, or asyncio, waits until it is asked for itself: loading them takes longer than
all the rest.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from windlass.accepted import Accepted
from windlass.batchmodels import (
    Batch,
    BatchItem,
    BatchOperation,
    BatchPage,
    BatchProgress,
    BatchRollback,
    BatchStats,
    SubmittedBatch,
)
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
    Account,
    AccountCheck,
    Cluster,
    Delivery,
    Event,
    Lock,
    Management,
    Metrics,
    Occurrence,
    Plan,
    Pool,
    Run,
    RunError,
    Schedule,
    Server,
    Step,
    Vm,
    WaitingOn,
    Webhook,
    WorkflowType,
)
from windlass.operating import (
    ApiKey,
    AuditEntry,
    Bulk,
    Finding,
    Hit,
    LoginSession,
    Note,
)
from windlass.pages import Page
from windlass.retries import Retries
from windlass.transport import AsyncTransport, Request, Response, Transport
from windlass.workflowruns import WorkflowDefinition, WorkflowEvent, WorkflowHook, WorkflowRun, WorkflowRuns

if TYPE_CHECKING:
    from windlass.asyncclient import AsyncClient
    from windlass.httpx_transport import AsyncHttpxTransport, HttpxTransport

__all__ = [
    "Accepted",
    "Account",
    "AccountCheck",
    "ApiKey",
    "AsyncClient",
    "AsyncHttpxTransport",
    "AsyncTransport",
    "AuditEntry",
    "Batch",
    "BatchItem",
    "BatchOperation",
    "BatchPage",
    "BatchProgress",
    "BatchRollback",
    "BatchStats",
    "Bulk",
    "Client",
    "Cluster",
    "Conflict",
    "ConnectionFailed",
    "Delivery",
    "Event",
    "Finding",
    "Forbidden",
    "Gone",
    "Hit",
    "HttpxTransport",
    "InvalidState",
    "Lock",
    "LoginSession",
    "Management",
    "Metrics",
    "NotFound",
    "Note",
    "Occurrence",
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
    "Schedule",
    "Server",
    "Step",
    "SubmittedBatch",
    "Transport",
    "Unauthorized",
    "Unavailable",
    "ValidationError",
    "Vm",
    "WaitTimeout",
    "WaitingOn",
    "Webhook",
    "WindlassError",
    "WorkflowDefinition",
    "WorkflowEvent",
    "WorkflowHook",
    "WorkflowRun",
    "WorkflowRuns",
    "WorkflowType",
]
_LATE = {
    "AsyncClient": "windlass.asyncclient",
    "AsyncHttpxTransport": "windlass.httpx_transport",
    "HttpxTransport": "windlass.httpx_transport",
}


def __getattr__(name: str) -> Any:
    """A name whose module loads a large library."""
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module 'windlass.remote' has no attribute {name!r}")
