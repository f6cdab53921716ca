"""The calls of `client.workflow` as talks (`windlass.exchange`), for both the sync and the async client."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar
from urllib.parse import quote

from windlass.decode import Model, body
from windlass.errors import Unavailable, WaitTimeout
from windlass.exchange import Answer, Exchange, Talk
from windlass.live import OUTAGE_S
from windlass.workflow import Definition
from windlass.workflowruns import WorkflowDefinition, WorkflowEvent, WorkflowHook, WorkflowRun, WorkflowRuns

M = TypeVar("M", bound=Model)
BASE = "/api/workflows"
RUNS, EVENTS, HOOKS = f"{BASE}/runs", f"{BASE}/events", f"{BASE}/hooks"
EVENTS_A_PAGE = 1_000
RUNS_A_PAGE = 100
LONG_POLL_S = 20  # How long the service may delay an answer until something happens.
SOON_S = 0.2  # The shortest pause between two polls,
SELDOM_S = 5.0  # and the longest, when the service does not delay its answer.


@dataclass(frozen=True, kw_only=True)
class WorkflowTalks:
    """The calls about code workflows."""

    exchange: Exchange
    clock: Callable[[], float] = time.monotonic

    def trigger(
        self,
        name: str | Definition,
        input: object = (),
        *,
        kwargs: Mapping[str, object] | None = None,
        version: str | None = None,
        run_id: str | None = None,
        idempotency_key: str | None = None,
        parent_run_id: str | None = None,
        max_events: int | None = None,
        execution_timeout: int | str | timedelta | None = None,
    ) -> Talk[WorkflowRun]:
        """Start a run of a workflow, of the version of `name` when that is a workflow itself.

        `input` is a list of the function's arguments; anything but a list or tuple is the only one. With
        `idempotency_key` a second call answers the first run. `execution_timeout` is in milliseconds, or a
        text such as "10m". Raises `NotFound` for a workflow that no worker ever announced, and `Conflict` for
        a run id that is taken or a key that was used with another input.
        """
        if isinstance(name, Definition):
            version = version or name.version
        order = body(
            workflow_name=name.name if isinstance(name, Definition) else name,
            input=list(input) if isinstance(input, list | tuple) else [input],
            kwargs=kwargs,
            deployment_id=version,
            run_id=run_id,
            idempotency_key=idempotency_key,
            parent_run_id=parent_run_id,
            max_events=max_events,
            execution_timeout=_duration(execution_timeout),
        )
        return WorkflowRun.of((yield from self.exchange.post(RUNS, order)).data)

    def get_run(self, run_id: str, *, wait_s: int | None = None, follow: bool = True) -> Talk[WorkflowRun]:
        """One run; with `wait_s` (at most 30) the service keeps the answer back until the run has ended.

        For a run that went on afresh (ctx.restart) the one that goes on now; `follow=False` gives the run of
        this very id.
        """
        query = {"wait": wait_s, "follow": None if follow else "false"}
        answer = yield from self.exchange.get(_path(run_id), query, longer_s=wait_s or 0)
        return WorkflowRun.of(answer.data)

    def get_runs(
        self,
        *,
        workflow_name: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Talk[WorkflowRuns]:
        """A page of runs, the newest first; `limit` may be larger than a page of the service."""
        found: tuple[WorkflowRun, ...] = ()
        while True:
            left = None if limit is None else min(RUNS_A_PAGE, limit - len(found))
            query = body(workflow_name=workflow_name, status=status, limit=left, cursor=cursor)
            page = WorkflowRuns.of((yield from self.exchange.get(RUNS, query)).data)
            found, cursor = found + page.data, page.cursor
            if limit is None or len(found) >= limit or not page.has_more:
                return replace(page, data=found)

    def get_child_runs(self, run_id: str) -> Talk[tuple[WorkflowRun, ...]]:
        """The runs that were triggered with this one as their parent, oldest first."""
        return _all(WorkflowRun, (yield from self.exchange.get(f"{_path(run_id)}/children")))

    def get_parent_run(self, run_id: str) -> Talk[WorkflowRun]:
        """The run that this one belongs to; raises `NotFound` when there is none."""
        return WorkflowRun.of((yield from self.exchange.get(f"{_path(run_id)}/parent")).data)

    def get_events(self, run_id: str, *, after: int = 0) -> Talk[tuple[WorkflowEvent, ...]]:
        """The log of a run, oldest first, from the beginning or after the event number `after`."""
        found: tuple[WorkflowEvent, ...] = ()
        while True:
            query = {"after": after, "limit": EVENTS_A_PAGE}
            page = _all(WorkflowEvent, (yield from self.exchange.get(f"{_path(run_id)}/events", query)))
            found += page
            if not page:  # A page may have fewer events than the limit: it ends after 1 MiB.
                return found
            after = page[-1].seq

    def emit_event(
        self, run_id: str, event_type: str, payload: object = None, *, correlation_id: str | None = None
    ) -> Talk[WorkflowEvent]:
        """Write an event of your own type into the log of a run."""
        told = {**body(run_id=run_id, event_type=event_type, correlation_id=correlation_id)}
        answer = yield from self.exchange.post(EVENTS, {**told, "payload": payload})
        return WorkflowEvent.of(answer.data)

    def send_signal(
        self, run_id: str, name: str, data: object = None, *, idempotency_key: str | None = None
    ) -> Talk[str]:
        """Send a signal, which waits in the run until its function asks for it; the signal's id."""
        sent = {**body(name=name, idempotency_key=idempotency_key), "data": data}
        answer = yield from self.exchange.post(f"{_path(run_id)}/signals", sent)
        return str(answer.data["signalId"])

    def create_hook(
        self,
        run_id: str,
        name: str,
        action: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> Talk[WorkflowHook]:
        """Make a hook, whose token is told this once; whoever calls it sends the signal `name` to the run."""
        wanted = body(run_id=run_id, name=name, action=action, metadata=metadata)
        # A hook whose token was lost with the answer cannot be called by anyone, and ends with its run.
        return WorkflowHook.of((yield from self.exchange.post_anew(HOOKS, wanted)).data)

    def execute_hook(self, token: str, payload: object = None) -> Talk[None]:
        """Call a hook; raises `Gone` when it was called with something else, or its run has ended."""
        yield from self.exchange.post_anew(f"{HOOKS}/{quote(token, safe='')}", payload)

    def patch(self, run_id: str, *, execution_context: Mapping[str, object]) -> Talk[WorkflowRun]:
        """Keep something with a run, in place of what was kept before."""
        content = body(execution_context=execution_context)
        return WorkflowRun.of((yield from self.exchange.patch(_path(run_id), content)).data)

    def cancel(self, run_id: str, *, reason: str | None = None) -> Talk[WorkflowRun]:
        """Ask a run to stop and to undo what it did; raises `InvalidState` when it has ended."""
        return WorkflowRun.of(
            (yield from self.exchange.delete(_path(run_id), None, body(reason=reason))).data
        )

    def definitions(self) -> Talk[tuple[WorkflowDefinition, ...]]:
        """The workflows that workers have announced."""
        return _all(WorkflowDefinition, (yield from self.exchange.get(f"{BASE}/definitions")))

    def wait(self, run_id: str, *, timeout_s: float | None = None) -> Talk[WorkflowRun]:
        """The run once it has ended; a service that is away for a while is waited for.

        Raises `WaitTimeout` after `timeout_s` seconds.
        """
        give_up = None if timeout_s is None else self.clock() + timeout_s
        run, pause = (yield from self.get_run(run_id)), SOON_S
        while not run.ended:
            left = float(LONG_POLL_S) if give_up is None else give_up - self.clock()
            if left <= 0:
                raise WaitTimeout(f"The run {run_id} is still {run.detail or run.status}.", run)
            run = yield from self._look_again(run_id, left, pause)
            pause = min(pause * 2, SELDOM_S)  # A run that needs an operator may wait for long.
        return run

    def _look_again(self, run_id: str, left_s: float, pause_s: float) -> Talk[WorkflowRun]:
        """The next poll; continues while the service is away, since the run goes on as well."""
        began = self.clock()
        while True:
            try:
                run = yield from self.get_run(run_id, wait_s=max(1, min(LONG_POLL_S, int(left_s))))
            except Unavailable:
                if self.clock() - began >= min(left_s, OUTAGE_S):
                    raise
                yield SOON_S
                continue
            if (
                not run.ended and self.clock() - began < SOON_S
            ):  # The service may have no place for a long poll.
                yield min(pause_s, left_s)
            return run


def _all(model: type[M], answer: Answer) -> tuple[M, ...]:
    return tuple(model.of(each) for each in answer.data)


def _path(run_id: str) -> str:
    return f"{RUNS}/{quote(run_id, safe='')}"


def _duration(given: int | str | timedelta | None) -> int | str | None:
    return round(given.total_seconds() * 1000) if isinstance(given, timedelta) else given
