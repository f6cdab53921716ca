"""The answer line: why a run does not move or how it ended, and what to do about it; pure.

    said = answer(run, now)
    said.parts    # (("text", "Waits 4 min for the lock of "), ("resource", "server/srv_…"), …)

One function for each kind of `waitingOn`; a part that names something is a link on the page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.console import appearance
from app.console.spans import about, clock, parse

Object = Mapping[str, Any]
Part = tuple[str, str]  # What it is (text, strong, run, resource, code) and the words.
LONGEST = 300

TODO = {
    "failed_held": "Mend the cause, then resume it; or retry it as a new run, or undo what was done.",
    "blocked": "Look at the machine, then say what happened: resolve it if it took effect, resume it if not.",
    "compensation_failed": "Mend the cause, then resume the undo; or resolve or skip it by hand.",
    "paused": "Unpause it to let it go on.",
    "worker": "Start a worker that serves this queue, or look at the health page.",
    "lock": "It goes on by itself when the lock is free; see who holds it.",
    "signal": "Send the signal, or wait.",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One line, and what to do about it."""

    look: appearance.Appearance
    parts: tuple[Part, ...]
    todo: str = ""

    @property
    def text(self) -> str:
        """The line without links."""
        return "".join(words for _, words in self.parts)

    @property
    def short(self) -> str:
        """The line without links, in which a run is named by the end of its id."""
        return "".join(f"…{words[-6:]}" if kind == "run" else words for kind, words in self.parts)


def answer(run: Object, now: int) -> Answer:
    """What there is to say about a run as it is."""
    waits = run.get("waitingOn")
    if waits:
        return _waiting(run, waits, now)
    ended = {"failed": _failed, "cancelled": _cancelled, "completed": _completed}.get(str(run["detail"]))
    if ended:
        return ended(run)
    return Answer(look=appearance.run_look(run["detail"]), parts=tuple(_at_work(run, now)))


def brief(run: Object, now: int) -> str:
    """The same for a line of a list; nothing for what needs no word."""
    if run["detail"] in ("completed", "running") and not run.get("waitingOn"):
        return ""
    error = run.get("error")
    if error and not run.get("waitingOn"):
        step = f"{error['step']}: " if error.get("step") else ""
        return f"{step}{_cut(error.get('message') or error['code'])}"
    return (
        ""
        if run["detail"] in ("cancelled", "queued") and not run.get("waitingOn")
        else answer(run, now).short
    )


def _waiting(run: Object, waits: Object, now: int) -> Answer:
    kind = str(waits["kind"])
    parts = KINDS.get(kind, _other)(run, waits, now)
    seen = appearance.run_look(run["detail"])
    if kind == "worker":
        seen = appearance.Appearance("No worker", "hold", "triangle-alert")
    todo = TODO.get(str(run["detail"])) or TODO.get(kind, "")
    return Answer(look=seen, parts=tuple(part for part in parts if part[1]), todo=todo)


def _lock(_run: Object, waits: Object, now: int) -> Sequence[Part]:
    by = waits.get("heldBy") or {}
    holder = by.get("runId") or waits.get("holder")
    step = f", at {by['step']}" if by.get("step") else ""
    who = f", held by {by.get('type') or 'run'} "
    held = [("text", who), ("run", str(holder)), ("text", step)] if holder else []
    name = by.get("resourceName")
    where = ("strong", str(name)) if name else ("resource", str(waits.get("resource", "a resource")))
    return [("text", f"Waits{_since(waits, now)} for the lock of "), where, *held, ("text", ".")]


def _timer(_run: Object, waits: Object, now: int) -> Sequence[Part]:
    attempt = f"attempt {waits['attempt']}" if waits.get("attempt") else "It"
    return [
        ("text", "Next attempt of "),
        ("strong", str(waits.get("step") or "a step")),
        ("text", f" {_in(waits, now)}; {attempt} failed{_because(waits.get('error'))}."),
    ]


def _poll(_run: Object, waits: Object, now: int) -> Sequence[Part]:
    so_far = f" ({waits['progress']})" if waits.get("progress") else ""
    latest = f", at the latest until {clock(waits['deadline'], now)}" if waits.get("deadline") else ""
    return [("strong", str(waits.get("step") or "A step")), ("text", f" is under way{so_far}{latest}.")]


def _operator(run: Object, waits: Object, now: int) -> Sequence[Part]:
    detail, step = str(run["detail"]), str(waits.get("step") or _error_step(run) or "a step")
    reason = _because(waits.get("error") or run.get("error"))
    if detail == "paused" or waits.get("paused"):
        return [("text", f"An operator has paused it{_since(waits, now, ' for')}.")]
    if detail == "blocked":
        return [
            ("text", "Needs you: whether "),
            ("strong", step),
            ("text", f" took effect is unknown{reason}."),
        ]
    if detail == "compensation_failed":
        return [("text", "Needs you: the undo of "), ("strong", step), ("text", f" failed for good{reason}.")]
    until = f"; it will be undone {_in(waits, now)} unless you decide" if waits.get("until") else ""
    return [("text", "Needs you: "), ("strong", step), ("text", f" failed{reason}{until}.")]


def _worker(_run: Object, waits: Object, now: int) -> Sequence[Part]:
    since = f" since {clock(waits['since'], now)}" if waits.get("since") else ""
    if waits.get("workflow"):
        return [
            ("text", "No worker serves "),
            ("strong", str(waits["workflow"])),
            ("text", f" in version {waits.get('version')}{since}."),
        ]
    if waits.get("step"):
        because = _because(waits.get("error"))
        return [
            ("text", "Waits for a worker that knows "),
            ("strong", str(waits["step"])),
            ("text", f"{because}."),
        ]
    return [
        ("text", "No worker takes it from queue "),
        ("strong", str(waits.get("queue"))),
        ("text", f"{since}."),
    ]


def _sleep(_run: Object, waits: Object, now: int) -> Sequence[Part]:
    return [("text", f"Sleeps{_until(waits, now)}{_others(waits)}.")]


def _signal(_run: Object, waits: Object, now: int) -> Sequence[Part]:
    name = str(waits.get("name"))
    return [
        ("text", "Waits for the signal "),
        ("strong", name),
        ("text", f"{_until(waits, now)}{_others(waits)}."),
    ]


def _child(_run: Object, waits: Object, _now: int) -> Sequence[Part]:
    run: list[Part] = [("text", ", run "), ("run", str(waits["run"]))] if waits.get("run") else []
    return [
        ("text", "Waits for the end of "),
        ("strong", str(waits.get("name"))),
        *run,
        ("text", f"{_others(waits)}."),
    ]


def _calls(_run: Object, waits: Object, now: int) -> Sequence[Part]:
    due = f"; it is due {_in(waits, now)}" if waits.get("until") else ""
    return [
        ("text", "Waits for the step "),
        ("strong", str(waits.get("step"))),
        ("text", f"{_others(waits)}{due}."),
    ]


def _other(_run: Object, waits: Object, now: int) -> Sequence[Part]:
    said = waits.get("text") or f"Waits for {waits['kind']}{_until(waits, now)}."
    return [("text", str(said))]


KINDS: dict[str, Callable[[Object, Object, int], Sequence[Part]]] = {
    "lock": _lock,
    "timer": _timer,
    "poll": _poll,
    "operator": _operator,
    "worker": _worker,
    "sleep": _sleep,
    "signal": _signal,
    "child": _child,
    "calls": _calls,
}


def _failed(run: Object) -> Answer:
    error = run.get("error") or {}
    step = [("text", " at "), ("strong", str(error["step"]))] if error.get("step") else []
    message = f": {_cut(error.get('message') or error.get('code') or 'no reason was recorded')}"
    dot = "" if message.endswith((".", "…", "!", "?")) else "."
    undone = _undone(run)
    parts = [("text", "Failed"), *step, ("text", f"{message}{dot}{undone}")]
    return Answer(look=appearance.run_look("failed"), parts=tuple(parts), todo=str(error.get("code") or ""))


def _undone(run: Object) -> str:
    undo = run.get("compensation") or ()
    done = sum(step.get("detail") in ("completed", "resolved") for step in undo)
    if done < len(undo):  # An operator has skipped the others.
        were = "were" if done > 1 else "was"
        return f" {done or 'None'} of the {len(undo)} steps to undo {were} undone."
    if done:
        steps = "The step before it was" if done == 1 else f"All {done} steps before it were"
        return f" {steps} undone."
    again = run.get("retriedBy") or ()
    return " It was retried." if again else ""


def _cancelled(run: Object) -> Answer:
    done = len([step for step in run.get("compensation") or () if step.get("detail") == "completed"])
    undone = f"; {done} steps were undone" if done > 1 else "; one step was undone" if done else ""
    return Answer(look=appearance.run_look("cancelled"), parts=(("text", f"Cancelled{undone}."),))


def _completed(run: Object) -> Answer:
    return Answer(look=appearance.run_look("completed"), parts=(("text", "Completed."),))


def _at_work(run: Object, now: int) -> list[Part]:
    open_ = next((s for s in run.get("steps") or () if s.get("status") == "running"), None)
    if run["detail"] == "compensating":
        undo = next((s for s in run.get("compensation") or () if s.get("status") == "running"), None)
        what = str((undo or {}).get("undoes") or "what was done")
        return [("text", "Undoes "), ("strong", what), ("text", ".")]
    if open_ is None:
        return [("text", "Its first step begins as soon as a worker is free.")]
    since = parse(open_.get("startedAt"))
    how_long = f" for {about(max(0, now - since))}" if since else ""
    return [("strong", str(open_["name"])), ("text", f" is at work{how_long}.")]


def _since(waits: Object, now: int, word: str = "") -> str:
    since = parse(waits.get("since"))
    return "" if since is None else f"{word} {about(max(0, now - since))}"


def _in(waits: Object, now: int) -> str:
    until = parse(waits.get("until"))
    if until is None:
        return "soon"
    return f"in {about(until - now)}" if until > now else "at once"


def _until(waits: Object, now: int) -> str:
    return f", until {clock(waits['until'], now)}" if waits.get("until") else ""


def _others(waits: Object) -> str:
    more = int(waits.get("calls") or 1) - 1
    return f" and {more} more" if more > 0 else ""


def _error_step(run: Object) -> str | None:
    return (run.get("error") or {}).get("step")


def _because(error: Object | None) -> str:
    if not error:
        return ""
    message = _cut(str(error.get("message") or "")).rstrip(".")
    return f" ({error.get('code')}: {message})" if message else f" ({error.get('code')})"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
