"""What the engine relies on of Celery's error callback, and what it does not."""

from chains.canvas import ON_ERROR
from tests.integration.celery.workers import Ears, Publisher, Worker
from tests.support.servers import until


def all_is_quiet(worker: Worker, publisher: Publisher) -> None:
    """Wait until everything that was sent so far, and what that sent in turn, has been handled.

    One pool process takes messages in their order: the first probe is behind what was sent, the second one
    behind what it sent.
    """
    for _ in "ab":
        worker.noted("link", publisher.send("ok"))


def test_a_failing_link_calls_back_exactly_once(worker: Worker, publisher: Publisher) -> None:
    run = publisher.send("ok", "fail", "ok-tail")
    (called,) = worker.noted("on_error", run)
    all_is_quiet(worker, publisher)
    assert called["id"].startswith(f"{run}.forward.fail.1.")
    assert len(worker.notes("on_error", run)) == 1


def test_the_callback_is_a_task_of_its_own_in_the_pool(
    worker: Worker, publisher: Publisher, ears: Ears
) -> None:
    run = publisher.send("fail")
    (called,) = worker.noted("on_error", run)
    assert (called["pid"] != worker.main.pid, called["parent"]) == (True, worker.main.pid)
    (received,) = until(lambda: ears.of("task-received", called["own"]))
    assert received["name"] == ON_ERROR


def test_the_tail_of_a_failed_link_never_runs(worker: Worker, publisher: Publisher) -> None:
    run = publisher.send("ok-1", "fail-2", "ok-3")
    worker.noted("on_error", run)
    all_is_quiet(worker, publisher)
    assert worker.ran(run) == ["ok-1", "fail-2"]


def test_a_link_that_cuts_its_chain_ends_it_without_a_callback(worker: Worker, publisher: Publisher) -> None:
    run = publisher.send("ok-1", "drop-2", "ok-3")
    worker.noted("link", run, 2)
    all_is_quiet(worker, publisher)
    assert (worker.ran(run), worker.notes("on_error", run)) == (["ok-1", "drop-2"], [])


def test_a_link_that_cuts_its_chain_has_succeeded(worker: Worker, publisher: Publisher, ears: Ears) -> None:
    run = publisher.send("drop", "ok-tail")
    until(lambda: ears.like("task-succeeded", f"{run}.forward.drop.1."))


def test_a_killed_pool_process_calls_back_once_and_its_tail_never_runs(
    worker: Worker, publisher: Publisher
) -> None:
    run = publisher.send("die", "ok-tail")
    (called,) = worker.noted("on_error", run)
    all_is_quiet(worker, publisher)
    assert called["id"].startswith(f"{run}.forward.die.1.")
    assert (worker.ran(run), len(worker.notes("on_error", run))) == (["die"], 1)


def test_a_whole_chain_is_carried_from_link_to_link(worker: Worker, publisher: Publisher) -> None:
    steps = [f"ok-{number}" for number in range(6)]
    run = publisher.send(*steps)
    worker.noted("link", run, len(steps))
    assert worker.ran(run) == steps
