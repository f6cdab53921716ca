"""What each step did when, from pairs of events; pure.

An event closes what its step was doing and may open something else (`AFTER`). What the whole run does, being
held or waiting for its lock, is drawn at the step that it concerns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.console.spans import parse
from app.domain.events import EventType

Object = Mapping[str, Any]
Key = tuple[str, str]  # Phase and key of a step.
LOCK_SHOWN_MS = 50  # A lock that was granted sooner was free.


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A stretch of one kind."""

    kind: str  # work, queue, wait, backoff, held or lock.
    start: int
    end: int
    look: str
    said: str
    live: bool = False  # It goes on.


@dataclass(kw_only=True)
class Track:
    """One step in one phase, and what it did."""

    key: str
    phase: str
    label: str
    state: str
    branch: str = ""
    is_fan_out: bool = False
    segments: list[Segment] = field(default_factory=list)
    opened: tuple[str, int, str] | None = None  # What it does: kind, since when, in words.

    def open(self, kind: str, at: int, said: str) -> None:
        """Begin something, which ends what it did before."""
        self.close(at)
        self.opened = (kind, at, said)

    def close(self, at: int, look: str = "", *, live: bool = False) -> None:
        """End what it does; what took no time leaves no segment, unless it was work."""
        if self.opened is None:
            return
        kind, since, said = self.opened
        self.opened = None
        since = max(since, self.segments[-1].end if self.segments else since)  # Clocks of hosts differ.
        at = max(at, since)
        if at > since or kind == "work":
            seen = look or LOOKS[kind] or ("undo" if self.phase == "comp" else "ok")
            said = said if look != "fail" else f"{said}, failed"
            self.segments.append(Segment(kind=kind, start=since, end=at, look=seen, said=said, live=live))


LOOKS = {"work": "", "queue": "idle", "wait": "run", "backoff": "fail", "held": "hold", "lock": "idle"}
SAID = {
    "queue": "in the queue",
    "wait": "waits for something outside",
    "backoff": "waits for the next attempt",
    "held": "held for an operator",
    "lock": "waits for the lock",
    "paused": "paused by an operator",
}
# What an event of a step opens, and how what it closes is seen.
AFTER: dict[str, tuple[str, str]] = {
    EventType.STEP_STARTED: ("work", ""),
    EventType.STEP_BEGUN: ("work", ""),
    EventType.STEP_POLLING: ("work", ""),
    EventType.STEP_WAITING: ("wait", ""),
    EventType.STEP_RETRYING: ("backoff", "fail"),
    EventType.STEP_FAILING: ("work", "fail"),
    EventType.STEP_READY: ("queue", ""),
    EventType.STEP_LOST: ("queue", "fail"),
    EventType.STEP_COMPLETED: ("", ""),
    EventType.STEP_FAILED: ("", "fail"),
    EventType.STEP_CANCELLED: ("", "idle"),
    EventType.STEP_SKIPPED: ("", "idle"),
    EventType.STEP_RESOLVED: ("", "hold"),
}
STOPS: dict[str, str] = {
    EventType.RUN_HELD: "held",
    EventType.RUN_BLOCKED: "held",
    EventType.RUN_NEEDS_OPERATOR: "held",
    EventType.RUN_PAUSED: "paused",
}
GOES_ON = frozenset(
    {
        EventType.RUN_RESUMED,
        EventType.RUN_UNPAUSED,
        EventType.RUN_HOLD_EXPIRED,
        EventType.RUN_COMPENSATING,
        EventType.OPERATOR_ACTION,
        EventType.RUN_CANCEL_REQUESTED,
        EventType.RUN_FAILED,
        EventType.RUN_CANCELLED,
        EventType.RUN_COMPLETED,
    }
)
FREES = frozenset(
    {
        EventType.RUN_CREATED,
        EventType.LOCK_GRANTED,
        EventType.RUN_COMPENSATING,
        EventType.RUN_STARTED,
        EventType.RUN_RESUMED,
    }
)
# Known, and drawn by no segment of its own.
MUTE = frozenset(
    {
        EventType.STEP_LOG,
        EventType.STEP_EXPANDED,
        EventType.STEP_FENCED,
        EventType.STEP_COMPENSATED,
        EventType.CALLS_ENDED,
        EventType.HOOK_CREATED,
        EventType.HOOK_EXECUTED,
        EventType.SIGNAL_RECEIVED,
        EventType.SIGNAL_CONSUMED,
        EventType.USER_EVENT,
        EventType.LOCK_RELEASED,
        EventType.RUN_ANNOTATED,
        EventType.RUN_TIMED,
        EventType.RUN_LIMIT_REACHED,
        EventType.RUN_RESTARTED,
        EventType.RUN_MOVED,
        EventType.RUN_COMPENSATED,
    }
)


def tracks(run: Object, events: Sequence[Object], now: int) -> list[Track]:
    """Every step of a run with what it did, in the order of the plan; undo steps in the order they began."""
    found = _planned(run)
    log = _Log(found)
    for event in events:
        log.take(event, parse(event["at"]) or now)
    ended = run.get("completedAt")
    log.finish(parse(ended) or now, live=not ended)
    lock = [log.lock] if log.lock and log.lock.segments else []
    return [*lock, *(track for track in found.values() if track.segments or track.phase == "forward")]


def _planned(run: Object) -> dict[Key, Track]:
    forward = {("forward", step["name"]): _track(step, "forward") for step in run.get("steps", ())}
    undo = {("comp", step["name"]): _track(step, "comp") for step in run.get("compensation", ())}
    return {**forward, **undo}


def _track(step: Object, phase: str) -> Track:
    label = str(step.get("undoes") or step["name"]) if phase == "comp" else str(step["name"])
    return Track(
        key=str(step["name"]),
        phase=phase,
        label=label,
        state=str(step.get("detail") or step.get("status") or "pending"),
        branch=str(step.get("branch") or ""),
        is_fan_out=step.get("kind") in ("group", "map"),
    )


class _Log:
    """The log, read event by event."""

    def __init__(self, found: dict[Key, Track]) -> None:
        self.found = found
        self.lock: Track | None = None
        self._free = 0  # Since when the next step could have begun.
        self._last: Track | None = None  # The step of which was heard last.
        self._held: Track | None = None

    def take(self, event: Object, at: int) -> None:
        kind = str(event["type"])
        if kind in AFTER and event.get("step"):
            self._step(event, kind, at)
        elif kind in STOPS:
            self._stop(STOPS[kind], at)
        elif kind in GOES_ON:
            self._go_on(at)
        self._locks(kind, at)
        if kind in FREES or kind in (
            EventType.STEP_COMPLETED,
            EventType.STEP_SKIPPED,
            EventType.STEP_RESOLVED,
            EventType.STEP_FAILED,
        ):
            self._free = at

    def finish(self, at: int, *, live: bool) -> None:
        for track in [*self.found.values(), *([self.lock] if self.lock else [])]:
            if track.opened is not None:
                is_work = live and track.opened[0] == "work"
                track.close(at, "run" if is_work and track.phase == "forward" else "", live=live)

    def _step(self, event: Object, kind: str, at: int) -> None:
        phase = "comp" if event.get("phase") == "comp" else "forward"
        key = (phase, str(event["step"]))
        track = self.found.setdefault(key, _track({"name": event["step"], "status": "running"}, phase))
        opens, look = AFTER[kind]
        if opens == "work" and not track.segments and not track.opened and not track.branch and self._free:
            track.opened = ("queue", self._free, SAID["queue"])
        track.close(at, look if track.opened and track.opened[0] == "work" else "")
        if opens:
            said = f"attempt {event.get('attempt') or 1}" if opens == "work" else SAID[opens]
            track.open(opens, at, said)
        self._last = track

    def _stop(self, why: str, at: int) -> None:
        track = self._last or (next(iter(self.found.values()), None))
        if track is not None:
            track.open("held", at, SAID[why])
            self._held = track

    def _go_on(self, at: int) -> None:
        if self._held is not None and self._held.opened and self._held.opened[0] == "held":
            self._held.close(at)
        self._held = None

    def _locks(self, kind: str, at: int) -> None:
        if kind == EventType.RUN_CREATED:
            self.lock = Track(key="", phase="forward", label="lock", state="pending")
            self.lock.open("lock", at, SAID["lock"])
        elif (
            self.lock is not None
            and self.lock.opened
            and kind in (EventType.LOCK_GRANTED, EventType.RUN_STARTED)
        ):
            if at - self.lock.opened[1] > LOCK_SHOWN_MS:
                self.lock.close(at)
                self.lock.state = "completed"
            else:
                self.lock.opened = None
