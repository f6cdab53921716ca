"""One run: answer line, timeline with its inspector, events, log, input and output."""

from collections.abc import Mapping
from typing import Any

from flask import request

from app.console import api_client, appearance, graph, timeline, words
from app.console.family import pages
from app.console.render import address, now_ms, render
from app.console.spans import parse
from app.domain.events import EventType

PATH = "/v1/workflows/runs"
VIEWS = ("timeline", "graph", "steps", "events", "logs", "io")
MOST_EVENTS = 2_000
EVENTS_SHOWN = 14
Object = dict[str, Any]


@pages.page("GET", "/runs/<run_id>", scope="runs:read")
def run(run_id: str) -> str:
    """A run with its steps."""
    found = api_client.get(f"{PATH}/{run_id}")
    shown: Object = found.data
    log = events(run_id)
    upto = _at(request.args.get("at"), log)
    past = _as_of(run_id, shown, upto) if upto else shown
    seen = [event for event in log if not upto or event["seq"] <= upto]
    view = request.args.get("view", "timeline")
    return render(
        "run.html",
        title=f"{shown['type']} on {shown['resourceName']}" if shown["resourceName"] else shown["type"],
        run=shown,
        version=found.version,
        answer=words.answer(shown, now_ms()),
        view=view if view in VIEWS else "timeline",
        picture=_picture(past, seen, upto) if view != "graph" else None,
        drawing=_graph(shown) if view == "graph" else None,
        look=step_look,
        log=log,
        seen=seen,
        upto=upto,
        newest=list(reversed(seen))[:EVENTS_SHOWN],
        lines=[event for event in seen if event["type"] == EventType.STEP_LOG],
        step=_step(past),
        step_events=_of_step(seen),
        family=_family(shown),
        incoming=_signals_and_hooks(run_id, shown),
        actions=actions(shown),
        watch=api_client.question(f"{PATH}/{run_id}", {}),
        truncated=len(log) >= MOST_EVENTS,
    )


def events(run_id: str) -> list[Object]:
    """The log of a run from its beginning, up to so many events."""
    found: list[Object] = []
    while len(found) < MOST_EVENTS:
        after = found[-1]["seq"] if found else 0
        answer = api_client.get(f"{PATH}/{run_id}/events", after=after, limit=100)
        found += answer.data
        if not answer.data or not answer.pagination.get("hasMore", len(answer.data) == 100):
            break
    return found


def actions(shown: Object) -> list[tuple[str, str]]:
    """What may be asked of the run now, the most likely first, with the word of its button."""
    if (shown.get("waitingOn") or {}).get("kind") == "signal":
        return [("signal", "Send the signal…"), *_allowed(shown)]
    return _allowed(shown)


def _allowed(shown: Object) -> list[tuple[str, str]]:
    order = ("resume", "unpause", "resolve", "retry", "compensate", "skip", "pause", "acknowledge", "cancel")
    allowed = set(shown.get("allowedActions") or ())
    return [(name, WORDS[name]) for name in order if name in allowed]


WORDS = {
    "resume": "Resume…",
    "unpause": "Unpause…",
    "resolve": "Resolve…",
    "retry": "Retry…",
    "compensate": "Undo…",
    "skip": "Skip…",
    "pause": "Pause…",
    "acknowledge": "Acknowledge…",
    "cancel": "Cancel…",
}


def _at(text: str | None, log: list[Object]) -> int:
    number = int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else 0
    return number if log and 0 < number < log[-1]["seq"] else 0


def _as_of(run_id: str, shown: Object, upto: int) -> Object:
    """The run as its log says it was after an event."""
    steps = [{**_bare(step), "detail": "pending", "status": "pending"} for step in shown["steps"]]
    return {**shown, "steps": steps, "compensation": [], "completedAt": None}


def _bare(step: Mapping[str, object]) -> Object:
    return {name: step[name] for name in ("name", "kind", "branch", "queue") if name in step}


def _picture(shown: Object, seen: list[Object], upto: int) -> timeline.Picture:
    number = request.args.get("page", "1")
    now = (parse(seen[-1]["at"]) if upto and seen else None) or now_ms()
    return timeline.draw(
        shown,
        seen,
        now,
        usual={s["name"]: s["p90Ms"] for s in shown["steps"] if s.get("p90Ms")},
        everything=request.args.get("all") == "1",
        opened=request.args.get("open", ""),
        page=max(1, int(number)) if number.isdecimal() and len(number) < 6 else 1,
    )


def step_look(step: Mapping[str, Any]) -> appearance.Appearance:
    """How a step looks in the graph; one that was undone says so."""
    undone = appearance.Appearance("Undone", "undo", "undo-2")
    return undone if step.get("compensatedAt") else appearance.run_look(step["detail"])


def _graph(shown: Object) -> graph.Drawing:
    """The plan as a graph, the first step on top."""
    nodes, edges, levels = graph.of_steps(shown["steps"])
    linked = [
        {
            **node,
            "label": node["name"],
            "sub": node["queue"],
            "href": address(step=node["name"], phase=None),
        }
        for node in nodes
    ]
    return graph.layout(linked, edges, levels, down=True)


def _step(shown: Object) -> Object | None:
    """The step of the inspector: the chosen one, or the one that matters most."""
    phase = request.args.get("phase", "forward")
    every = [(step, "forward") for step in shown["steps"]] + [(s, "comp") for s in shown["compensation"]]
    wanted = request.args.get("step") or _matters(shown)
    for step, its in every:
        if step["name"] == wanted and its == (phase if request.args.get("step") else its):
            return {**step, "phase": its}
    return None


def _matters(shown: Object) -> str:
    error, waits = shown.get("error") or {}, shown.get("waitingOn") or {}
    open_ = [step["name"] for step in shown["steps"] if step["status"] in ("running", "failed")]
    last = [step["name"] for step in shown["steps"] if step["status"] != "pending"]
    return str(waits.get("step") or error.get("step") or (open_ or last[-1:] or [""])[0])


def _of_step(seen: list[Object]) -> list[Object]:
    name, phase = request.args.get("step"), request.args.get("phase", "forward")
    return [e for e in seen if name and e["step"] == name and (e["phase"] or "forward") == phase]


def _family(shown: Object) -> Object:
    """The runs that it came from and that came from it."""
    return {
        "before": shown.get("retryOf"),
        "after": shown.get("retriedBy") or [],
        "parent": shown.get("parentRunId"),
        "children": api_client.get(PATH, parentRunId=shown["id"], limit=20).data,
    }


def _signals_and_hooks(run_id: str, shown: Object) -> Object | None:
    """The signals and hooks of a code workflow's run."""
    if not shown.get("version"):
        return None
    return {name: api_client.get(f"{PATH}/{run_id}/{name}").data for name in ("signals", "hooks")}
