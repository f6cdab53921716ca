"""`client.runs`: start runs, look at them, move them, wait for them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import Any
from urllib.parse import quote

from windlass import live
from windlass.decode import body, camel
from windlass.errors import Unavailable, WaitTimeout
from windlass.models import Event, Plan, Run
from windlass.operating import Bulk, Note
from windlass.pages import Page, one, read_every, read_page
from windlass.session import Session

PATH = "/v1/workflows/runs"
LONG_POLL_S = 20  # How long the service may keep an answer back while nothing happens.
SOON_S = 0.2  # Between two looks at least.


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Everything about runs."""

    session: Session
    clock: Callable[[], float] = time.monotonic

    def list(
        self,
        /,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        page: int | None = None,
        **filters: object,
    ) -> Page[Run]:
        """One page, the newest first.

        Filters: ``kind`` (declared, code or batch), ``type``, ``status`` and ``detail`` (one or several),
        ``not_type``, ``not_status`` and ``not_detail`` (none of these), ``q`` (a part of an id, or of the
        name, serial number or address of what it works on), ``error_code``, ``acknowledged``,
        ``resource_type``, ``resource_id``, ``triggered_by``, ``retry_of``, ``parent_run_id``,
        ``needs_operator``, ``waiting``, ``tag`` (one or several), ``since``, ``until`` (dates or ISO
        texts).
        Raises `ValidationError` for an unknown status or a bad date.
        """
        query = {**_filters(filters), "limit": limit, "cursor": cursor, "page": page}
        return read_page(self.session, PATH, Run, query)

    def each(self, /, **filters: object) -> Iterator[Run]:
        """All runs, the newest first, with the filters of `list`."""
        return read_every(self.session, PATH, Run, {**_filters(filters), "limit": 100})

    def get(self, run_id: str, *, wait_s: int | None = None) -> Run:
        """One run; with `wait_s` (at most 30) the service keeps the answer back until something happens."""
        answer = self.session.get(_path(run_id), {"wait": wait_s}, longer_s=wait_s or 0)
        return one(Run, answer)

    def start(self, /, type: str, input: Mapping[str, object] | None = None, **options: object) -> Run:
        """Start a run of any type.

        Options: ``resource_id``, ``on_failure`` ("compensate" or "hold"), ``tags``, ``idempotency_key``
        (lasts as long as the run), ``callback_url``, ``on_conflict`` ("reject" or "queue").
        Raises `Conflict` with ``details["holder"]`` when another run holds the resource.
        """
        query = {"onConflict": options.pop("on_conflict", None)}
        return Run.of(self.session.post(PATH, _order(type, input, options), query).data)

    def plan(self, /, type: str, input: Mapping[str, object] | None = None, **options: object) -> Plan:
        """What `start` would do; nothing is stored."""
        return Plan.of(self.session.post(PATH, _order(type, input, options), {"dryRun": True}).data)

    def cancel(self, run_id: str, *, reason: str | None = None, mode: str | None = None) -> Run:
        """Ask a run to stop and undo; `mode` is graceful (the default), abandon or kill."""
        return self._post(run_id, "cancel", body(reason=reason, mode=mode))

    def plan_cancel(self, run_id: str, *, mode: str | None = None) -> Mapping[str, Any]:
        """What `cancel` would do: ``finishes``, ``undone``, ``stays``, ``locks``; nothing is changed."""
        answer = self.session.post(f"{_path(run_id)}/cancel", body(mode=mode), {"dryRun": True})
        plan: Mapping[str, object] = answer.data
        return plan

    def many(
        self,
        /,
        action: str,
        *,
        ids: Sequence[str] | None = None,
        filter: Mapping[str, object] | None = None,
        dry_run: bool = False,
        **options: object,
    ) -> Bulk:
        """Do the same to many runs: ``retry``, ``cancel``, ``resume`` or ``acknowledge``.

        Either their ``ids`` or a ``filter`` of `list`; a request changes 200 runs at most. Options:
        ``reason``, ``mode`` of a cancel, ``from_="earliest"`` of a retry. With ``dry_run`` they are counted.
        """
        chosen = body(ids=list(ids) if ids is not None else None, **options)
        if filter is not None:
            chosen["filter"] = {name: _listed(name, value) for name, value in _filters(filter).items()}
        return Bulk.of(self.session.post(f"{PATH}:{action}", chosen, {"dryRun": dry_run or None}).data)

    def acknowledge(self, run_id: str, *, reason: str | None = None) -> Run:
        """Say of a failed run that it is dealt with; nothing else changes."""
        return self._act(run_id, "acknowledge", None, reason)

    def note(self, run_id: str, text: str) -> tuple[Note, ...]:
        """Write a remark into the log; answers all remarks, the newest first."""
        return tuple(
            Note.of(each) for each in self.session.post(f"{_path(run_id)}/notes", body(text=text)).data
        )

    def notes(self, run_id: str) -> tuple[Note, ...]:
        """What operators did to a run and why, and their remarks; the newest first."""
        return tuple(Note.of(each) for each in self.session.get(f"{_path(run_id)}/notes").data)

    def hooks(self, run_id: str) -> tuple[Mapping[str, Any], ...]:
        """The hooks of a run, newest first, without their tokens."""
        return tuple(self.session.get(f"{_path(run_id)}/hooks").data)

    def signals(self, run_id: str, *, unread: bool = False) -> tuple[Mapping[str, Any], ...]:
        """The signals that a run was sent, newest first; ``unread``: those that no wait has taken."""
        return tuple(self.session.get(f"{_path(run_id)}/signals", {"unread": unread or None}).data)

    def export(self, run_id: str) -> Mapping[str, Any]:
        """A run, its steps and its whole log as one document."""
        document = dict(self.session.get(f"{_path(run_id)}/export").data)
        if document.pop("truncated", False):
            last = document["events"][-1]["seq"]
            document["events"] = [*document["events"], *(one.raw for one in self.events(run_id, after=last))]
        return document

    def retry(
        self,
        run_id: str,
        *,
        from_step: str | None = None,
        from_: str | None = None,
        input: Mapping[str, object] | None = None,
        reason: str | None = None,
    ) -> Run:
        """Start a new run that takes over from a failed, held or cancelled one; answers the new run.

        `from_step` goes on at that step, `from_="earliest"` at the first step whose effects are gone.
        Raises `InvalidState` with ``details["blockingSteps"]`` when an earlier step no longer stands.
        """
        values = body(from_step=from_step, from_=from_, input=input, reason=reason)
        return self._post(run_id, "retry", values)

    def plan_retry(
        self,
        run_id: str,
        *,
        from_step: str | None = None,
        from_: str | None = None,
        input: Mapping[str, object] | None = None,
    ) -> Plan:
        """What `retry` would do; nothing is stored. Its ``raw`` names what is kept and what runs again."""
        values = body(from_step=from_step, from_=from_, input=input)
        answer = self.session.post(f"{_path(run_id)}/retry", values, {"dryRun": True})
        return Plan.of(answer.data)

    def resume(self, run_id: str, *, reason: str | None = None) -> Run:
        """Let a held or blocked run try its failed step again."""
        return self._act(run_id, "resume", None, reason)

    def compensate(self, run_id: str, *, reason: str | None = None) -> Run:
        """Let a held or blocked run undo what it did."""
        return self._act(run_id, "compensate", None, reason)

    def skip(self, run_id: str, step: str | None = None, *, reason: str | None = None) -> Run:
        """Leave out a step, or an undo, and go on."""
        return self._act(run_id, "skip", step, reason)

    def resolve(self, run_id: str, step: str | None = None, *, reason: str | None = None) -> Run:
        """Declare a step, or an undo, as done by hand and go on."""
        return self._act(run_id, "resolve", step, reason)

    def pause(self, run_id: str, *, reason: str | None = None) -> Run:
        """Let nothing new start."""
        return self._act(run_id, "pause", None, reason)

    def unpause(self, run_id: str, *, reason: str | None = None) -> Run:
        """Let a paused run go on."""
        return self._act(run_id, "unpause", None, reason)

    def events(self, run_id: str, *, after: int | None = None) -> Iterator[Event]:
        """The log from the beginning, or after the event number `after`."""
        return read_every(self.session, f"{_path(run_id)}/events", Event, {"after": after, "limit": 100})

    def state(self, run_id: str, *, as_of: int | None = None) -> Mapping[str, Any]:
        """The fold of the log up to the event number `as_of`."""
        answer = self.session.get(f"{_path(run_id)}/state", {"asOf": as_of})
        state: Mapping[str, object] = answer.data
        return state

    def stream(self, run_id: str, *, after: int = 0) -> Iterator[Event]:
        """Events as they happen, from the beginning or after number `after`, until the run has ended.

        A broken connection is taken up again where it broke, also after the service was away for a while.
        Raises `Unavailable` when the service has no room for another stream.
        """
        self.get(run_id)  # Whatever is wrong from the start is told at once.
        yield from live.events(self.session, f"{_path(run_id)}/stream", after, lambda: self.get(run_id).ended)

    def wait(
        self,
        run_id: str,
        *,
        timeout_s: float | None = None,
        every_s: float | None = None,
        until: Callable[[Run], bool] = attrgetter("ended"),
        seen: Callable[[Run], None] = lambda run: None,
    ) -> Run:
        """The run once it has ended, or once `until` says so; `seen` is told of every look at it.

        The service keeps each answer back until something happens; to look at fixed times instead, say
        `every_s`. A service that is away for a while is waited for. Raises `WaitTimeout` after `timeout_s`
        seconds.
        """
        give_up = None if timeout_s is None else self.clock() + timeout_s
        run = self.get(run_id)
        while True:
            seen(run)
            if until(run):
                return run
            left = float(LONG_POLL_S) if give_up is None else give_up - self.clock()
            if left <= 0:
                raise WaitTimeout(f"The run {run_id} is still {run.detail or run.status}.", run)
            run = self._look_again(run_id, left, every_s)

    def _look_again(self, run_id: str, left_s: float, every_s: float | None) -> Run:
        """The next look; the run goes on while the service is away, and so does the waiting."""
        give_up = self.clock() + min(left_s, live.OUTAGE_S)
        while True:
            try:
                return self._look(run_id, left_s, every_s)
            except Unavailable:
                if self.clock() >= give_up:
                    raise
                self.session.sleep(SOON_S)

    def _look(self, run_id: str, left_s: float, every_s: float | None) -> Run:
        if every_s is not None:
            self.session.sleep(min(every_s, left_s))
            return self.get(run_id)
        began = self.clock()
        run = self.get(run_id, wait_s=max(1, min(LONG_POLL_S, int(left_s))))
        if not run.ended and self.clock() - began < SOON_S:  # It may have no room to keep it back.
            self.session.sleep(min(SOON_S, left_s))
        return run

    def _act(self, run_id: str, action: str, step: str | None, reason: str | None) -> Run:
        return self._post(run_id, "actions", body(action=action, step=step, reason=reason))

    def _post(self, run_id: str, verb: str, content: Mapping[str, object]) -> Run:
        return Run.of(self.session.post(f"{_path(run_id)}/{verb}", content).data)


def _path(run_id: str) -> str:
    return f"{PATH}/{quote(run_id, safe='')}"


def _order(type: str, input: Mapping[str, object] | None, options: Mapping[str, object]) -> dict[str, object]:
    return body(type=type, input=input or {}, **options)


def _filters(filters: Mapping[str, object]) -> dict[str, object]:
    """The parameters of a list; what must not hold begins with a dash."""
    return {
        f"-{camel(name.removeprefix('not_'))}" if name.startswith("not_") else camel(name): _text(value)
        for name, value in filters.items()
        if value is not None
    }


def _listed(name: str, value: object) -> object:
    """A filter as a body has it, where what may be given several times is a list."""
    several = name.removeprefix("-") in ("type", "status", "detail", "tag")
    return [value] if several and isinstance(value, str) else value


def _text(value: object) -> object:
    """Times as ISO texts."""
    return value.isoformat() if isinstance(value, date) else value
