"""The scenario of code workflows: signals before and after their wait, a worker killed in a body."""

from typing import Any

from tests.chaos.bugs.stage import Missed, Stage
from tests.chaos.workload.authors import RUNS

PACE_MS = 1_500  # Long enough to be met in the middle of a body.


def code_workflows(stage: Stage) -> None:
    """A worker is killed in a body of a run that has its signals already; another run waits for them."""
    early, late = started(stage, words=3, pace=PACE_MS), started(stage, words=1, pace=5)
    for word in range(3):
        send(stage, early, word)
    stage.until(lambda: marked(stage, early, "two"), "the second body runs")
    stage.kill_holder(stage.step(early, "main"))
    stage.until(lambda: stage.step(late, "main").get("status") == "waiting", "the other one waits")
    send(stage, late, 0)
    stage.ends(60)


def started(stage: Stage, **given: Any) -> str:
    """A walk through every kind of call; its id."""
    whole = {"nap": 10, "fan": 2, "child": True, "fails": False, **given}
    body = {"workflowName": "code.walk", "input": [whole]}
    asked = stage.ask("trigger", RUNS, body, key=f"{stage.name} {stage.rng.random()}")
    if asked.run_id is None:
        raise Missed(f"no run was accepted: {asked.replies[-1]}")
    stage.runs.append(asked.run_id)
    return asked.run_id


def send(stage: Stage, run_id: str, word: int) -> None:
    """A signal, once."""
    stage.ask("signal", f"{RUNS}/{run_id}/signals", {"name": "word", "data": word}, key=f"word-{word}")


def marked(stage: Stage, run_id: str, step: str) -> bool:
    """Whether a body has begun."""
    return any((one["run"], one["step"]) == (run_id, step) for one in stage.site.marks())
