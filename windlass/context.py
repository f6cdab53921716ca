"""What a workflow function is given: every call through it is done once and remembered."""

import inspect
import logging
import random
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NoReturn

from windlass.calls import Call, Memo
from windlass.durations import Duration, duration_ms
from windlass.failures import DefinitionError, NotStorable, RecordedError, SignalTimeout
from windlass.passage import Pass
from windlass.steps import checked_name, step_call, target_of
from windlass.values import alike, changed
from windlass.workflow import Definition, definition

RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)

log = logging.getLogger("windlass.workflow")


class _Required:
    """There is no default: an error is raised."""


REQUIRED = _Required()


@dataclass(frozen=True, kw_only=True)
class Hook:
    """A door for others: who has its token may execute it once, which ends `ctx.wait_for_hook(hook)`."""

    name: str
    action: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    token: str = field(repr=False)
    hook_id: str = ""


class Context:
    """The run as its workflow function sees it.

    Steps take, beside the parameters of their function: ``retries`` (attempts after the first),
    ``retry_delay`` (default 1 s), ``timeout`` (default: the workflow's step_timeout), ``undo`` (a function at
    the top of a module), ``at_most_once``, ``on_error`` (called with the error once it has failed for good).
    """

    def __init__(self, passing: Pass) -> None:
        self._pass = passing

    @property
    def run_id(self) -> str:
        """The id of this run."""
        return self._pass.info.run_id

    @property
    def parent_run_id(self) -> str | None:
        """The id of the run that started this one as its child."""
        return self._pass.info.parent_run_id

    @property
    def workflow(self) -> str:
        """The name of the workflow."""
        return self._pass.info.workflow

    @property
    def version(self) -> str:
        """The version of the workflow that this run is bound to."""
        return self._pass.info.version

    @property
    def is_replaying(self) -> bool:
        """Whether an earlier pass has been here: then a line of a log would be told again."""
        return self._pass.replaying

    def log(self, message: str, **fields: object) -> None:
        """Write to the worker's log, once: nothing is written while the function is replayed."""
        if not self.is_replaying:
            told = {"run_id": self.run_id, "workflow": self.workflow, **fields}
            log.info("%s %s", message, " ".join(f"{name}={value!r}" for name, value in told.items()))

    def step(self, name: str | Callable[..., object], /, *given: object, **options: object) -> Any:
        """Do ``fn(*args, **kwargs)`` once: ``ctx.step("fetch", fn, *args)``, or ``ctx.step(fn, *args)``.

        StepFailed, which is also of the type that the step raised, when it has failed for good.
        """
        call, most = self._planned(name, given, options), self._pass.definition.step_timeout_ms
        if (call.options.timeout_ms or 0) > most:
            raise DefinitionError(
                f"step {call.name!r}: its timeout, {call.options.timeout_ms} ms, is longer than "
                f"the workflow's step_timeout, {most} ms: raise that, or do the step by ctx.parallel"
            )
        return self._pass.step(call)

    def call(self, name: str | Callable[..., object], /, *given: object, **options: object) -> Call:
        """A step for ctx.parallel, written as for ctx.step; it is not begun."""
        self._pass.check()
        if isinstance(name, str) and self._pass.passes_by(name):
            return Call(name=name, kind="task")  # Only its place counts: each member calls the function.
        call = self._planned(name, given, options)
        return self._portable(call)

    def child(
        self,
        workflow: str | Definition,
        /,
        *args: object,
        version: str | None = None,
        run_id: str | None = None,
        **kwargs: object,
    ) -> Call:
        """A child run for ctx.parallel, written as for ctx.run_child; it is not begun."""
        self._pass.check()
        known = workflow if isinstance(workflow, Definition) else _defined(workflow)
        if known is not None:
            _refuse_clash(known, version=version, run_id=run_id)
        if isinstance(workflow, Definition):
            version = version or workflow.version
            workflow = workflow.name
        if run_id is not None and not RUN_ID.fullmatch(run_id):
            raise DefinitionError(f"a run id has 1 to 128 letters, digits, '_' or '-', not {run_id!r}")
        what = f"the input of child workflow {workflow!r}"
        given = self._pass.encoded([list(args), kwargs], what)
        wait = {
            "workflow": workflow,
            "version": version,
            "args": given[0],
            "kwargs": given[1],
            "run_id": run_id,
        }
        return Call(name=checked_name(workflow), kind="child", wait=wait)

    def run_child(
        self,
        workflow: str | Definition,
        /,
        *args: object,
        version: str | None = None,
        run_id: str | None = None,
        **kwargs: object,
    ) -> Any:
        """Start a child run and wait for it: its result; ChildFailed when it fails or is cancelled."""
        return self._waited(self.child(workflow, *args, version=version, run_id=run_id, **kwargs))

    def parallel(
        self, calls: Sequence[Call], *, limit: int | None = None, return_exceptions: bool = False
    ) -> list[Any]:
        """Do calls at the same time, at most `limit` of them at once: their results in the order of `calls`.

        With a limit the next call begins as soon as one has ended.
        When some have failed, the first failure in that order is raised, once all have ended; with
        `return_exceptions` each failure stands in its place instead.
        """
        self._pass.check()
        calls = list(calls)
        for each in calls:
            if not isinstance(each, Call):
                raise DefinitionError(
                    f"ctx.parallel takes what ctx.call(…) or ctx.child(…) gives, not {each!r:.200}"
                )
        if limit is not None and (type(limit) is not int or limit < 1):
            raise DefinitionError(f"limit is a whole number from 1, not {limit!r}")
        results = self._together(calls, limit)
        failures = [each for each in results if isinstance(each, _Failure)]
        if failures and not return_exceptions:
            raise failures[0].error
        return [each.error if isinstance(each, _Failure) else each for each in results]

    def sleep(self, duration: Duration) -> None:
        """Let the run rest for so long; no worker is held meanwhile."""
        self._waited(Call(name="sleep", kind="sleep", wait={"ms": duration_ms(duration, "the sleep")}))

    def wait_for_signal(
        self, name: str, *, timeout: Duration | None = None, default: object = REQUIRED
    ) -> Any:
        """The payload of the next signal of this name, whether it came before or comes later.

        When none comes within `timeout`: `default`, if one is given, else SignalTimeout.
        """
        return self._signalled({"name": checked_name(name)}, timeout, default)

    def create_hook(self, name: str, action: str = "", metadata: Mapping[str, object] | None = None) -> Hook:
        """Open a hook: whoever has its token executes it with one HTTP request, without an API key."""
        given = self._pass.encoded(dict(metadata or {}), f"the metadata of hook {name!r}")
        wait = {"name": checked_name(name), "action": action, "metadata": given}
        made = self._waited(Call(name=name, kind="hook", wait=wait))
        return Hook(
            name=name,
            action=action,
            metadata=self._pass.decoded(given),
            token=made["token"].reveal(),
            hook_id=made["hookId"],
        )

    def wait_for_hook(
        self, hook: Hook, *, timeout: Duration | None = None, default: object = REQUIRED
    ) -> Any:
        """What this very hook is executed with; `timeout` and `default` as for a signal."""
        if not getattr(hook, "hook_id", ""):
            raise DefinitionError(f"ctx.wait_for_hook takes what ctx.create_hook gave, not {hook!r:.200}")
        return self._signalled({"name": hook.name, "hook": hook.hook_id}, timeout, default)

    def emit(self, event_type: str, payload: object = None) -> None:
        """Add an event of your own to the run's events."""
        given = self._pass.encoded(payload, f"the payload of event {event_type!r}")
        self._waited(
            Call(name=checked_name(event_type), kind="event", wait={"type": event_type, "payload": given})
        )

    def now(self) -> datetime:
        """The time, the same on every replay: aware, in UTC, to the millisecond."""
        ms = self._pass.value(Call(name="now", kind="value"), self._pass.clock_ms)
        return datetime.fromtimestamp(ms / 1000, UTC)

    def uuid(self) -> str:
        """A random UUID, the same on every replay."""
        return str(self._pass.value(Call(name="uuid", kind="value"), lambda: str(uuid.uuid4())))

    def random(self) -> float:
        """A random number from 0 to less than 1, the same on every replay."""
        return float(self._pass.value(Call(name="random", kind="value"), random.random))

    def restart(self, *args: object, **kwargs: object) -> NoReturn:
        """End this run; a fresh one goes on with these arguments: for loops with no end."""
        given = self._pass.encoded([list(args), kwargs], "the input of ctx.restart")
        self._pass.restart(given[0], given[1])

    def _planned(
        self, name: str | Callable[..., object], given: Sequence[object], options: Mapping[str, object]
    ) -> Call:
        self._pass.check()
        call = step_call(name, given, options, self._pass.definition.step_timeout_ms)
        if call.options.undo:
            stored = self._pass.encoded(
                _arguments(call), f"the arguments of step {call.name!r}, kept for its undo,"
            )
            self._refuse_changed(call, stored)
            call = replace(call, input=stored)
        return call

    def _refuse_changed(self, call: Call, stored: object) -> None:
        """An undo gets what was stored: refuse what would be something else by then."""
        found = changed(_arguments(call), self._pass.decoded(stored))
        if found is not None:
            raise NotStorable(
                f"the arguments of step {call.name!r}, kept for its undo, hold {found}: "
                "give plain values, and make of them what you need in the function and in its undo"
            )

    def _portable(self, call: Call) -> Call:
        """The call with its target, if another process can do it from what is stored alone."""
        target = target_of(call.fn) if call.fn and not call.options.on_error else None
        if target is None or target.startswith("__main__:"):
            return call
        try:
            stored = call.input or self._pass.encoded(_arguments(call), f"the arguments of {call.title}")
        except NotStorable:
            return call
        same = alike(_arguments(call), self._pass.decoded(stored))  # A tuple, say, would come back as a list.
        return replace(call, target=target, input=stored) if same else call

    def _signalled(self, wanted: Mapping[str, Any], timeout: Duration | None, default: object) -> object:
        name = wanted["name"]
        ms = None if timeout is None else duration_ms(timeout, f"the timeout of signal {name!r}")
        try:
            return self._waited(Call(name=name, kind="signal", wait={**wanted, "timeout_ms": ms}))
        except SignalTimeout:
            if default is REQUIRED:
                raise
            return default

    def _waited(self, call: Call) -> Any:
        call = self._pass.enter(call)
        return self._pass.answer(call, self._ended(call))

    def _ended(self, call: Call) -> Memo:
        return self._pass.wait([call])[0]

    def _together(self, calls: Sequence[Call], limit: int | None) -> list[object]:
        entered = [self._pass.enter(each) for each in calls]
        ended = self._pass.wait(entered, limit)
        return [self._result(call, memo) for call, memo in zip(entered, ended, strict=True)]

    def _result(self, call: Call, memo: Memo) -> object:
        try:
            return self._pass.answer(call, memo)
        except RecordedError as error:
            return _Failure(error)


def _defined(name: str) -> Definition | None:
    """The newest workflow of this name, if this process has one."""
    try:
        return definition(name)
    except LookupError:
        return None


def _refuse_clash(workflow: Definition, **options: str | None) -> None:
    parameters = inspect.signature(workflow.fn).parameters
    for name, given in options.items():
        if given is not None and name in parameters:
            raise DefinitionError(
                f"child workflow {workflow.name!r}: {name!r} says which run starts, and is a parameter "
                "of its function, too: pass the parameter by position"
            )


@dataclass(frozen=True)
class _Failure:
    """A member of ctx.parallel has failed with this error."""

    error: RecordedError


def _arguments(call: Call) -> dict[str, object]:
    return {"args": list(call.args), "kwargs": dict(call.kwargs)}
