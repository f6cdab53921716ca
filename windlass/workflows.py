"""`client.workflow`: trigger code workflows, follow them, signal them; `WorkflowTalks` tells of each call."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from windlass.exchange import Talk
from windlass.session import Session
from windlass.workflowtalks import WorkflowTalks

P = ParamSpec("P")
T = TypeVar("T")


def _carried(
    talk: Callable[Concatenate[WorkflowTalks, P], Talk[T]],
) -> "Callable[Concatenate[Workflows, P], T]":
    @wraps(talk)
    def method(self: "Workflows", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.session.carry(talk(WorkflowTalks(exchange=self.session.exchange), *args, **kwargs))

    return method


@dataclass(frozen=True, kw_only=True)
class Workflows:
    """Everything about code workflows."""

    session: Session

    trigger = _carried(WorkflowTalks.trigger)
    get_run = _carried(WorkflowTalks.get_run)
    get_runs = _carried(WorkflowTalks.get_runs)
    get_child_runs = _carried(WorkflowTalks.get_child_runs)
    get_parent_run = _carried(WorkflowTalks.get_parent_run)
    get_events = _carried(WorkflowTalks.get_events)
    emit_event = _carried(WorkflowTalks.emit_event)
    send_signal = _carried(WorkflowTalks.send_signal)
    create_hook = _carried(WorkflowTalks.create_hook)
    execute_hook = _carried(WorkflowTalks.execute_hook)
    patch = _carried(WorkflowTalks.patch)
    cancel = _carried(WorkflowTalks.cancel)
    definitions = _carried(WorkflowTalks.definitions)
    wait = _carried(WorkflowTalks.wait)
