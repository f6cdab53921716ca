"""Members of fan-outs that are claimed and settled without the run's lock: the same rows, or refused."""

from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any

import pytest

from app.domain.errors import StepError
from app.domain.events import EventType
from app.engine.messages.publisher import redispatch
from app.engine.transitions import optimistic
from app.engine.transitions.branch import Wanted, claim_member, settle_and_claim
from app.engine.transitions.claim import Claim, Holder
from app.engine.transitions.settle import Done, Settled, Suspended, decide_settled, settle
from app.record.fast_path import branch
from app.record.fast_path.branch import MemberTransition
from app.record.runs import hooks, runs, timers
from app.record.service import subscriptions
from app.record.session import Database
from app.worker import loop
from app.worker.loop import go_on
from tests.support.driver import Driver
from tests.support.probes import BEFORE, DONE, fails, reset
from tests.support.servers import until

MOMENTS = {"dueAt", "until", "deadline"}
PASSING = {"holder", "task_id", "id", "run_id", "seq"}
RESULT = Done({"report": "seen"})


def opened(driver: Driver, members: int = 4, **given: object) -> str:
    """A run whose fan-out has opened; no member has begun."""
    run_id = driver.start("probe.map", {"items": list(range(members)), **given})
    driver.deliver()
    driver.waiting.clear()
    return run_id


def wanted(driver: Driver, most: int = 16) -> list[Wanted]:
    """Members that are reserved for a worker."""
    found = branch.reserve(driver.db, "default", most)
    holders = (Holder(nonce=f"driver:1/{one.key}", task_id="t", lease_ms=10_000) for one in found)
    return [Wanted(one, holder) for one, holder in zip(found, holders, strict=True)]


def held(driver: Driver, one: Wanted) -> Claim:
    """A claim on a member that was made without the lock."""
    claimed = claim_member(driver.db, one)
    assert claimed is not None and claimed.seen is not None
    return claimed


def both(driver: Driver, claimed: Claim, following: Wanted) -> Settled | None:
    """Settle one and claim the other in one write."""
    return settle_and_claim(driver.db, claimed, RESULT, following, logs=(), patience_s=5.0)


def group(driver: Driver, run_id: str) -> dict[str, Any]:
    """The fan-out."""
    return next(row for row in driver.steps(run_id).values() if row["kind"] == "map")


def no_lock(*_: object) -> None:
    """Instead of `runs.lock_run`."""
    raise AssertionError("the lock was taken")


def gone_on(driver: Driver, run_id: str) -> str:
    """Let links find everything by themselves; returns how the run ended."""
    while sum(go_on(driver.runner, queue, task_id="t", limit_s=3600) for queue in ("default", "bmc")) or (
        driver.fire(run_id)
    ):
        driver.waiting.clear()
    return driver.status(run_id)


def stored(driver: Driver, run_id: str) -> Any:
    """What is stored of each step and logged of it, whatever came between; without ids and moments."""
    log = sorted(driver.log(run_id), key=lambda row: (row["phase"] or "", row["step"] or ""))
    rows = map(timeless, [*driver.steps(run_id).values(), *driver.steps(run_id, "comp").values(), *log])
    return [{name: value for name, value in row.items() if name not in PASSING} for row in rows]


def timeless(row: dict[str, Any]) -> dict[str, Any]:
    """The row with every moment in it made the same, and the events of the run itself made shorter."""
    moment = {n: "a moment" if isinstance(v, int) and v > 10**12 else v for n, v in row.items()}
    payload = row.get("payload") or {}
    return {**moment, "payload": {n: v for n, v in payload.items() if n not in MOMENTS}}


PLANS: dict[str, tuple[str, dict[str, Any]]] = {
    "all": ("probe.map", {"items": list(range(6))}),
    "a limit": ("probe.map", {"items": list(range(6)), "limit": 2}),
    "collected": ("probe.map", {"items": list(range(6)), "join": "collect"}),
    "two steps each": ("probe.pairs", {"items": [1, 2, 3], "join": "all", "limit": None}),
    "branches": ("probe.group", {}),
    "operations": ("probe.jobs", {"items": [1, 2, 3]}),
}


TROUBLES: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "one fails": lambda: BEFORE.update(visit=fails(1)),
    "one is tried again": lambda: BEFORE.update(visit=fails(1, StepError)),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("plan", PLANS)
def test_the_story_is_that_of_the_lock(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, plan: str, trouble: str
) -> None:
    found = []
    for under_lock in (False, True):
        if under_lock:
            monkeypatch.setattr(optimistic, "decide_member", lambda *_, **__: None)
        reset()
        TROUBLES[trouble]()
        run_id = driver.start(*PLANS[plan])
        found.append((gone_on(driver, run_id), sorted(DONE), stored(driver, run_id)))
    assert found[0] == found[1]


def test_members_need_no_lock_but_for_the_last(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = opened(driver, 5)
    waiting = wanted(driver)
    claimed = held(driver, waiting[0])
    with monkeypatch.context() as patched:
        patched.setattr(runs, "lock_run", no_lock)
        for following in waiting[1:]:
            settled = both(driver, claimed, following)
            assert settled is not None and settled.beside is not None
            claimed = settled.beside
    settle(driver.db, claimed, RESULT)
    assert group(driver, run_id)["status"] == "completed"


def test_an_operation_leaves_no_timer_and_no_hook_and_needs_no_lock(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = driver.start("probe.jobs", {"items": [1, 2, 3]})
    for waiting in wanted(driver):
        settle(driver.db, held(driver, waiting), Suspended({"job": 1}))
    driver.fire(run_id, "poll")
    (one,) = wanted(driver)
    claimed = held(driver, one)
    driver.open_hook(run_id, one.member.key)

    monkeypatch.setattr(runs, "lock_run", no_lock)
    settle(driver.db, claimed, Done({"job_done": 1}))
    armed = driver.db.read(lambda tx: timers.open_of(tx, run_id))
    opened_ = driver.db.read(lambda tx: hooks.of_run(tx, run_id))
    assert one.member.key not in {timer["step"] for timer in armed} and len(armed) == 4
    assert [hook["status"] for hook in opened_] == ["expired"]


def test_the_last_is_left_to_the_lock_however_old_the_worker_s_picture_is(driver: Driver) -> None:
    run_id = opened(driver, 3)
    early = [held(driver, one) for one in wanted(driver)]
    for one in early[:2]:
        settle(driver.db, one, RESULT)
    last, seen = early[2], early[2].seen
    assert seen is not None and group(driver, run_id)["pending"] == 1

    alone = optimistic.decide_member(driver.db, seen, lambda j: decide_settled(j, last, RESULT, (), False))
    assert alone is None and group(driver, run_id)["pending"] == 1
    settle(driver.db, last, RESULT)
    assert group(driver, run_id)["status"] == "completed"


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda driver, run_id, _key: driver.cancel(run_id),
        lambda driver, run_id, _key: driver.act(run_id, "pause"),
        lambda driver, run_id, key: driver.lose(run_id, key),
    ],
    ids=["cancelled", "paused", "lost"],
)
def test_a_result_is_judged_by_what_happened_meanwhile(driver: Driver, meanwhile: Any) -> None:
    run_id = opened(driver)
    one, following, *_ = wanted(driver)
    claimed = held(driver, one)
    meanwhile(driver, run_id, one.member.key)

    assert both(driver, claimed, following) is None
    assert settle(driver.db, claimed, RESULT).status in ("completed", "fenced")
    assert driver.step(run_id, following.member.key)["fence"] == 0


def test_when_another_took_what_follows_nothing_is_written(driver: Driver) -> None:
    run_id = opened(driver)
    one, following, *_ = wanted(driver)
    claimed = held(driver, one)
    held(driver, following)
    before = (driver.run(run_id), driver.steps(run_id), driver.log(run_id))

    other = Wanted(following.member, Holder(nonce="driver:1/other", task_id="u", lease_ms=10_000))
    assert both(driver, claimed, other) is None
    assert (driver.run(run_id), driver.steps(run_id), driver.log(run_id)) == before
    assert claim_member(driver.db, other) is None


def test_a_write_whose_answer_was_lost_is_recognised(driver: Driver) -> None:
    run_id = opened(driver)
    one, following, *_ = wanted(driver)
    claimed = held(driver, one)
    assert both(driver, claimed, following) is not None

    assert both(driver, claimed, following) is None
    assert settle(driver.db, claimed, RESULT).status == "completed"
    again = claim_member(driver.db, following)
    assert again is not None and again.fence == 1
    assert driver.events(run_id).count(f"step.completed:{one.member.key}") == 1


def test_a_member_that_was_published_anew_is_left_to_the_newer_message(driver: Driver) -> None:
    run_id = opened(driver)
    one, *_ = wanted(driver)
    driver.db.write(lambda tx: redispatch(tx, run_id, "forward", one.member.key))
    assert claim_member(driver.db, one) is None


def test_a_successor_s_step_is_not_settled_by_who_lost_it(driver: Driver) -> None:
    run_id = opened(driver)
    one, following, *_ = wanted(driver)
    claimed = held(driver, one)
    driver.lose(run_id, one.member.key)
    driver.deliver()
    before = driver.log(run_id)

    assert both(driver, claimed, following) is None
    assert driver.log(run_id) == before
    assert settle(driver.db, claimed, RESULT).status == "fenced"


def test_what_a_worker_reserved_is_out_of_sight_for_a_second(driver: Driver) -> None:
    opened(driver, 3)
    assert [len(wanted(driver, 2)), len(wanted(driver, 2)), len(wanted(driver, 2))] == [2, 1, 0]
    for _ in range(3):
        until(lambda: wanted(driver, 1), 5)


def test_a_member_that_does_not_fit_into_the_time_left_is_left(driver: Driver) -> None:
    run_id = opened(driver)
    before = driver.steps(run_id)
    assert go_on(driver.runner, "default", task_id="t", limit_s=1.0) == 0
    assert driver.steps(run_id) == before


def test_a_run_that_is_watched_is_under_the_lock(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = opened(driver, 3)
    monkeypatch.setattr(branch, "write", partial(unsubscribed, branch.write))
    monkeypatch.setattr(branch, "reserve", partial(watched, branch.reserve))
    assert gone_on(driver, run_id) == "completed"


def unsubscribed(write: Callable[..., int | None], db: Database, wanted: Any, **options: Any) -> int | None:
    """Write without the lock what no endpoint can have subscribed to, and nothing else."""
    assert not subscriptions.public_types(wanted.events)
    return write(db, wanted, **options)


def watched(reserve: Callable[..., list[branch.Reserved]], *args: Any) -> list[branch.Reserved]:
    """What is reserved, as if an endpoint had subscribed."""
    found = reserve(*args)
    for one in found:
        object.__setattr__(one.seen, "watched", frozenset(EventType))
    return found


def test_many_workers_end_each_member_once(driver: Driver) -> None:
    run_id = opened(driver, 60)
    troubles: list[BaseException] = []

    def work() -> None:
        try:
            while found := wanted(driver, 3):
                for claimed in filter(None, (claim_member(driver.db, one) for one in found)):
                    settle(driver.db, claimed, RESULT, patience_s=30)
        except BaseException as trouble:
            troubles.append(trouble)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not troubles
    fan = group(driver, run_id)
    assert (fan["status"], fan["succeeded"], fan["pending"]) == ("completed", 60, 0)
    assert [row["seq"] for row in driver.log(run_id)] == list(range(1, driver.run(run_id)["event_seq"] + 1))


def test_a_link_settles_with_the_claim_on_the_next(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = opened(driver, 12)
    writes: list[int] = []
    written = branch.write

    def write(db: Database, one: MemberTransition, **how: Any) -> int | None:
        writes.append(len(one.steps))
        return written(db, one, **how)

    monkeypatch.setattr(branch, "write", write)
    monkeypatch.setattr(loop, "MOST_S", 60)
    go_on(driver.runner, "default", task_id="t", limit_s=3600)
    assert writes.count(2) >= 7
    assert len(DONE) == 13
    assert group(driver, run_id)["status"] == "completed"
