"""The checks see what is wrong in evidence that no engine would leave behind."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.chaos.checks import effects, promises, publications, recovery, rest
from tests.chaos.checks.evidence import Evidence, Finding
from tests.chaos.fault import Injection
from tests.chaos.ledger import Effect
from tests.chaos.shares import Share
from tests.chaos.workload.client import Reply, Request

RUN = "run_1"
GIVEN = {"fails": 0, "lame": -1, "items": [], "join": "all", "blind": False, "order": 1}


def run(status: str = "completed", **more: Any) -> dict[str, Any]:
    """The row of a run of the workload."""
    row = {"id": RUN, "type": "chaos.line", "status": status, "input": GIVEN, "retry_of": None}
    cancel = {"cancel_requested_at": None, "cancel_mode": None, "waiting_on": None, "created_at": 1_000}
    error = dict.fromkeys(("error_code", "error_message", "error_step"))
    return {**row, **cancel, **error, "dispatch_gen": 1, **more}


def step(key: str, phase: str = "forward", **more: Any) -> dict[str, Any]:
    """The row of a step that completed."""
    row = {"run_id": RUN, "phase": phase, "key": key, "status": "completed", "kind": "task", "fence": 1}
    rest = {"branch": "", "reused_from": None, "undoable": True, "undoes": None, "gen": 0, "completed_at": 1}
    return {**row, **rest, **more}


def event(kind: str, at: int, key: str | None = "one", **payload: Any) -> dict[str, Any]:
    """A row of the log."""
    return {"run_id": RUN, "type": kind, "at": at, "step": key, "phase": "forward", "payload": payload}


def effect(key: str, what: str = "did", phase: str = "forward", fence: int = 1) -> Effect:
    """A line of the ledger."""
    return Effect(operation=f"{RUN}/{phase}/{key}", effect=what, fence=fence, attempt=1, pid=1)


def evidence(
    run_: Mapping[str, Any] | None = None, steps: Sequence[Any] = (), events: Sequence[Any] = (), **more: Any
) -> Evidence:
    """One run and what is known of it."""
    return Evidence(runs={RUN: run_ or run()}, steps={RUN: steps}, events={RUN: events}, **more)


def started(kind: str, run_id: str | None, status: int = 202) -> Request:
    """A request that was answered."""
    replies = [Reply(at=1, took_ms=1, status=status)]
    return Request(kind=kind, path="/", body={}, key="k", order=1, run_id=run_id, replies=replies)


def numbers(found: Sequence[Finding]) -> list[str]:
    """What was found."""
    return [one.number for one in found]


def test_an_accepted_run_that_is_not_there_is_lost() -> None:
    known = evidence(requests=[started("start", "run_2")])
    assert numbers(list(promises.accepted(known))) == ["I1"]


def test_a_key_that_was_answered_with_two_runs_is_seen() -> None:
    known = evidence(requests=[started("start", RUN), started("again", "run_2")])
    known.runs = {**known.runs, "run_2": run(id="run_2")}
    assert numbers(list(promises.accepted(known))) == [
        "I1",
        "I1",
    ]  # Two names, and an order that is two runs.


def test_a_crash_that_was_answered_is_seen_though_the_client_tried_again() -> None:
    request = started("start", RUN)
    request.replies.insert(0, Reply(at=0, took_ms=1, status=500))
    assert numbers(list(promises.answered(evidence(requests=[request])))) == ["500"]


def test_a_run_that_did_not_end_and_one_that_ended_otherwise_than_expected_are_seen() -> None:
    assert numbers(list(promises.ended(evidence(run("running"))))) == ["lost"]
    assert numbers(list(promises.as_ordered(evidence(run("failed"))))) == ["fate"]


def test_a_reboot_that_failed_is_seen() -> None:
    reboot = {"type": "server.lifecycle", "input": {"action": "reboot", "mode": "hard"}}
    assert not list(promises.as_ordered(evidence(run("completed", **reboot))))
    assert numbers(list(promises.as_ordered(evidence(run("failed", **reboot))))) == ["fate"]


def test_a_run_may_fail_after_three_lost_workers_and_not_after_two() -> None:
    losses = [event("step.lost", number, fence=number) for number in (1, 2, 3)]
    assert not list(promises.as_ordered(evidence(run("failed"), events=losses)))
    assert numbers(list(promises.as_ordered(evidence(run("failed"), events=losses[1:])))) == ["fate"]


def test_an_undo_may_need_an_operator_after_three_lost_workers_and_not_after_two() -> None:
    losses = [{**event("step.lost", number, fence=number), "phase": "comp"} for number in (1, 2, 3)]
    asked = {**event("run.needs_operator", 4), "phase": "comp"}
    assert not list(promises.ended(evidence(run("failed"), events=[*losses, asked])))
    assert numbers(list(promises.ended(evidence(run("failed"), events=[*losses[1:], asked])))) == ["I6"]


def test_no_run_is_late_while_the_database_is_away_or_a_lock_is_waited_for() -> None:
    late = run(dispatch_gen=2)
    for_a_step = [event("step.completed", 5_000), event("step.started", 12_000, "two")]
    for_a_lock = [event("run.created", 5_000, None), event("lock.granted", 12_000, None)]
    away = Injection(fault="stop", rows=(), what="", scope="database", at=6_000, until=11_000)

    assert numbers(list(publications.prompt(evidence(late, events=for_a_step)))) == ["publication"]
    assert not list(publications.prompt(evidence(late, events=for_a_step, injections=[away])))
    assert not list(publications.prompt(evidence(late, events=for_a_lock)))
    before = replace(away, at=1_000, until=4_000)
    assert numbers(list(publications.prompt(evidence(late, events=for_a_step, injections=[before])))) == [
        "publication"
    ]


def test_a_worker_that_was_taken_for_lost_is_seen_unless_its_claim_met_the_cut() -> None:
    events = [event("step.started", 5_000, fence=1), event("step.lost", 15_001, fence=1)]
    late = Injection(fault="cut", rows=(), what="", scope="broker", at=8_000, until=12_000)
    just_then = replace(late, at=5_200)

    assert numbers(list(publications.kept(evidence(events=events, injections=[late])))) == ["lease"]
    assert not list(publications.kept(evidence(events=events, injections=[just_then])))


def test_an_effect_without_a_claim_is_seen() -> None:
    events = [event("step.started", 1, fence=1)]
    assert not list(effects.intended(evidence(events=events, effects=[effect("one")])))
    assert numbers(list(effects.intended(evidence(events=events, effects=[effect("one", fence=2)])))) == [
        "I8"
    ]


def test_a_result_of_an_attempt_that_had_lost_its_step_is_seen() -> None:
    claims = [event("step.started", 1, fence=1), event("step.started", 2, fence=2)]
    stale = [*claims, event("step.completed", 3, output={"by": 1})]
    right = [*claims, event("step.completed", 3, output={"by": 2})]
    assert numbers(list(effects.settled(evidence(events=stale)))) == ["stale"]
    assert not list(effects.settled(evidence(events=right)))


def test_a_step_that_completed_without_any_effect_is_seen() -> None:
    assert numbers(list(effects.happened(evidence(steps=[step("one")])))) == ["I8"]


def test_undos_in_the_order_of_the_plan_are_seen() -> None:
    steps = [step("two", "comp", undoes="two"), step("one", "comp", undoes="one")]
    logged = [effect("one", "undid", "comp"), effect("two", "undid", "comp")]
    assert numbers(list(effects.ordered(evidence(run("failed"), steps, effects=logged)))) == ["I6"]
    assert not list(effects.ordered(evidence(run("failed"), steps, effects=logged[::-1])))


def test_a_step_that_ended_after_the_ledger_was_read_is_not_expected_in_it() -> None:
    late = evidence(steps=[step("one", completed_at=50), step("two", completed_at=49)], read_at=50)
    assert [one.step for one in effects.happened(late)] == ["two"]


def test_what_happened_and_was_not_undone_is_seen_and_what_was_undone_in_a_run_that_completed() -> None:
    happened = [effect("one")]
    assert numbers(list(effects.undone(evidence(run("failed"), [step("one")], effects=happened)))) == ["I6"]
    undone = [step("one"), step("one", "comp", undoes="one")]
    assert numbers(list(effects.undone(evidence(run(), undone, effects=happened)))) == ["I6"]


def test_an_order_that_was_sent_twice_is_seen() -> None:
    assert numbers(list(effects.at_most_once(evidence(effects=[effect("once"), effect("once")])))) == ["once"]


def blocked(*ledger: str) -> list[Finding]:
    """What is found of a run that was blocked by its order, given the ledger's lines of that."""
    error = {"code": "OUTCOME_UNKNOWN"}
    logged = {**event("run.blocked", 1, "once", error=error), "attempt": 1}
    lines = [effect("once", what) for what in ledger]
    return list(promises.ended(evidence(run(type="chaos.once"), events=[logged], effects=lines)))


def test_an_order_whose_outcome_was_to_be_seen_needs_no_operator() -> None:
    assert numbers(blocked("did", "observed")) == ["operator"]


def test_an_order_that_may_still_be_sent_may_need_an_operator() -> None:
    assert blocked("observed") == []
    assert blocked("observed", "did") == []


def test_an_older_attempt_that_acts_late_is_excused_by_a_freeze_alone() -> None:
    logged = [effect("one", fence=2), effect("one", fence=1)]
    frozen = Injection(fault="f", rows=("RF5",), what="", scope="process", at=1, until=2)
    assert numbers(list(effects.zombies(evidence(effects=logged)))) == ["I14"]
    assert not list(effects.zombies(evidence(effects=logged, injections=[frozen])))


def test_a_lock_that_was_granted_before_it_was_released_is_seen() -> None:
    def held(run_id: str, fence: int, since: int, until: int) -> list[dict[str, Any]]:
        logged = {"resource": "site/a"}
        return [event("lock.granted", since, fence=fence, **logged), event("lock.released", until, **logged)]

    known = evidence()
    known.events = {"run_1": held("run_1", 1, 10, 20), "run_2": held("run_2", 2, 15, 30)}
    assert numbers(list(rest.exclusive(known))) == ["I8"]


def test_recovery_counts_from_the_claim_that_was_lost_or_from_the_end_of_an_outage() -> None:
    events = [
        event("step.started", 1_000, fence=1),
        event("step.lost", 11_000, fence=1, lost=1),
        event("step.ready", 11_000),
        event("step.started", 11_500, fence=2),
    ]
    away = Injection(fault="f", rows=("RF8",), what="", scope="database", at=2_000, until=9_000)
    assert [one.took_ms for one in recovery.recoveries(evidence(events=events))] == [10_500]
    known = evidence(events=events, injections=[away])
    assert [one.took_ms for one in recovery.recoveries(known)] == [2_500]


def test_a_body_that_no_time_limit_reaches_is_lost_when_the_last_resort_has_ended_it() -> None:
    def events(lost_at: int) -> list[dict[str, Any]]:
        again = event("step.started", lost_at)
        return [event("step.started", 0, fence=1), event("step.lost", lost_at), again]

    deaf = [replace(effect("one", "died"), value="deaf")]
    assert [one.took_ms for one in recovery.recoveries(evidence(events=events(33_000)))] == [33_000]
    known = [evidence(events=events(lost_at), effects=deaf) for lost_at in (33_000, 5_000)]
    assert [one.took_ms for each in known for one in recovery.recoveries(each)] == [2_000, 0]


def test_recovery_that_takes_longer_than_the_lease_allows_is_seen() -> None:
    late = recovery.Recovery(run_id=RUN, step="one", why="attempt", took_ms=20_001, at=0, until=20_001)
    assert numbers(list(recovery.slow(evidence(), [late]))) == ["recovery", "recovery"]


def test_recovery_on_a_machine_that_others_use_may_take_as_much_longer_beyond_the_lease() -> None:
    late = recovery.Recovery(run_id=RUN, step="one", why="attempt", took_ms=21_000, at=0, until=30_000)
    busy = [Share(at=at, part=part) for at, part in ((10_000, 1.0), (20_000, 0.2), (30_000, 0.3))]
    quiet = [Share(at=at, part=1.0) for at in (20_000, 30_000)]
    assert numbers(list(recovery.slow(evidence(shares=busy), [late]))) == []
    assert numbers(list(recovery.slow(evidence(shares=quiet), [late]))) == ["recovery", "recovery"]
