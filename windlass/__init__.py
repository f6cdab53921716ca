"""Windlass for programs: workflows as code, and a typed client of the service."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from windlass.context import Context, Hook
from windlass.failures import (
    ChildFailed,
    DefinitionError,
    Misuse,
    Nondeterminism,
    NotStorable,
    OutcomeUnknown,
    ResultRefused,
    SignalTimeout,
    StepFailed,
    StepTimedOut,
    WorkflowError,
)
from windlass.steps import step
from windlass.values import Secret
from windlass.worker import Worker
from windlass.workflow import Definition, workflow

__all__ = [
    "ChildFailed",
    "Context",
    "Definition",
    "DefinitionError",
    "Hook",
    "Misuse",
    "Nondeterminism",
    "NotStorable",
    "OutcomeUnknown",
    "ResultRefused",
    "Secret",
    "SignalTimeout",
    "StepFailed",
    "StepTimedOut",
    "Worker",
    "WorkflowError",
    "step",
    "workflow",
]

if TYPE_CHECKING:
    from windlass.remote import *  # noqa: F403
else:

    def __getattr__(name: str) -> Any:
        """A name of the client side: an author of workflows does not pay for an HTTP client."""
        if name[:1].isupper():  # Else it is the name of a module.
            remote = import_module("windlass.remote")
            if name in remote.__all__:
                return getattr(remote, name)
        raise AttributeError(f"module 'windlass' has no attribute {name!r}")
