"""The real tasks in a real worker: doubled messages, and what `celery -A tasks` tells an operator."""

import hashlib
import hmac
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from celery import Celery

from app.auth.message_key import MessageKey
from app.config import Settings, release
from app.domain.ids import new_id
from app.engine.process_id import place
from app.engine.transitions import accept
from app.engine.transitions.claim import Holder, locked_claim
from app.engine.transitions.journal import RunMessage
from app.record.runs import runs
from app.record.runs.doctor import findings
from app.record.session import Database
from app.services import workers
from app.wiring import celery_app, message_key_of
from chains import canvas
from chains.messages import DeliveryMessage, WakeUp, args_of
from tests.conftest import Databases
from tests.integration.celery.workers import Ears, Event, Worker, listening, said
from tests.support import probes
from tests.support.servers import KeyValue, is_alive, until

LINE = probes.line.name  # Accepted here and run in the worker.


@pytest.fixture(scope="module")
def settings(
    broker: KeyValue, databases: Callable[[str], Databases], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """The shipped settings, on this broker and a database."""
    url = databases("sqlite").fresh()
    yield Settings(redis_url=broker.url, database_url=url, state_dir=str(tmp_path_factory.mktemp("state")))
    databases("sqlite").drop(url)


@pytest.fixture(scope="module")
def worker(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A worker of the service that also knows the types of the probes."""
    more = ("--include", "tests.support.probes")
    started = Worker(settings, tmp_path_factory.mktemp("worker"), "tasks", processes=3, more=more)
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def db(settings: Settings) -> Iterator[Database]:
    """The database of the worker."""
    opened = Database(settings.database)
    yield opened
    opened.dispose()


@pytest.fixture
def app(settings: Settings, worker: Worker) -> Iterator[Celery]:
    """A publisher, while the worker is there."""
    with celery_app(settings, worker=False) as made:
        yield made


def accepted(db: Database, type_: str) -> RunMessage:
    """A run whose message is not published yet."""
    order = accept.Order(type=type_, input={})
    messages = db.write(lambda tx: accept.accept(tx, new_id("run"), order, "usr_test")).messages
    (run_message,) = [hint for hint in messages if isinstance(hint, RunMessage)]
    return run_message


def publish(app: Celery, run_message: RunMessage, sign: canvas.Sign) -> None:
    """Send a message's chain."""
    canvas.publish(
        app,
        sign,
        run_id=run_message.run_id,
        type_=run_message.type,
        phase=run_message.phase,
        gen=run_message.gen,
        segments=run_message.segments,
    )


def send(app: Celery, message: WakeUp | DeliveryMessage, sign: canvas.Sign) -> None:
    """Send a message to the queue that the worker serves."""
    canvas._signed(
        app, sign, message, about=str(args_of(message)[0]), queue="default", time_limit=930
    ).apply_async(retry=False)


def status(db: Database, run_id: str) -> str:
    """The run's status."""
    return str((db.read(lambda tx: runs.read_run(tx, run_id)) or {})["status"])


def test_a_message_that_comes_five_times_does_its_work_once(app: Celery, db: Database) -> None:
    run_message = accepted(db, LINE)
    for _ in range(5):
        publish(app, run_message, message_key_of(db).sign)
    until(lambda: status(db, run_message.run_id) == "completed", 20)
    begun = [
        one["step"]
        for one in db.read(lambda tx: runs.events_of(tx, run_message.run_id))
        if one["type"] == "step.started"
    ]
    assert begun == ["first", "second", "third"]
    assert db.read(findings) == []


def test_a_process_that_a_body_has_left_without_descriptors_takes_no_other_run(
    app: Celery, db: Database, worker: Worker
) -> None:
    run_message = accepted(db, probes.greedily.name)
    publish(app, run_message, message_key_of(db).sign)
    until(lambda: status(db, run_message.run_id) == "completed", 20)
    (step,) = db.read(lambda tx: runs.all_steps(tx, run_message.run_id))
    pid = (step["output"] or {})["pid"]
    until(lambda: not is_alive(pid), 20, lambda: worker.log)


def test_a_message_about_a_run_that_is_not_there_does_no_harm(
    app: Celery, db: Database, worker: Worker
) -> None:
    run_message = accepted(db, LINE)
    nobody = RunMessage(
        run_id=new_id("run"), type=run_message.type, phase="forward", gen=1, segments=run_message.segments
    )
    publish(app, nobody, message_key_of(db).sign)
    publish(app, run_message, message_key_of(db).sign)
    until(lambda: status(db, run_message.run_id) == "completed", 20)
    until(lambda: "dropped: unknown run" in worker.log, 20)


def dropped(worker: Worker, begins: str) -> bool:
    """Whether the worker says that it dropped a message whose id begins like this."""
    return any("message.dropped" in line and begins in line for line in worker.log.splitlines())


@pytest.mark.parametrize("forged", ["", "0" * 64], ids=["unsigned", "wrong"])
def test_a_message_that_nobody_of_us_has_signed_is_dropped(
    app: Celery, db: Database, worker: Worker, forged: str
) -> None:
    run_message = accepted(db, LINE)
    publish(app, run_message, lambda *_: forged)
    until(lambda: dropped(worker, run_message.run_id), 20)
    assert status(db, run_message.run_id) == "queued"


def test_a_message_whose_time_limit_was_changed_is_dropped(app: Celery, db: Database, worker: Worker) -> None:
    run_message, key = accepted(db, LINE), message_key_of(db)
    publish(app, run_message, lambda name, task, args, limit: key.sign(name, task, args, limit + 1))
    until(lambda: dropped(worker, run_message.run_id), 20)
    assert status(db, run_message.run_id) == "queued"


def test_a_message_signed_for_one_task_is_dropped_by_another(
    app: Celery, db: Database, worker: Worker
) -> None:
    key = message_key_of(db)
    for message in (WakeUp(queue=new_id("run")), DeliveryMessage(delivery_id=new_id("dlv"), fence=0)):
        send(app, message, lambda name, _task, args, limit: key.sign(name, "windlass.link", args, limit))
        until(lambda message=message: dropped(worker, str(args_of(message)[0])), 20)  # type: ignore[misc]


def before_tasks_were_signed(key: MessageKey) -> canvas.Sign:
    """How releases signed whose messages named no task."""

    def sign(task_id: str, _task: str, args: Sequence[Any], limit: float) -> str:
        said = json.dumps([task_id, list(args), limit], separators=(",", ":"))
        return hmac.new(key._key, said.encode(), hashlib.sha256).hexdigest()

    return sign


def test_a_message_of_an_older_release_is_dropped_and_its_run_is_still_expected(
    app: Celery, db: Database, worker: Worker
) -> None:
    run_message, wake_up = accepted(db, LINE), new_id("task")
    older = before_tasks_were_signed(message_key_of(db))
    publish(app, run_message, older)
    until(lambda: dropped(worker, run_message.run_id), 20)
    args = ("default", "look", "", 0)
    headers = {canvas.SIGNATURE: older(wake_up, "", args, 930.0)}
    app.send_task(
        "windlass.link", args=args, task_id=wake_up, queue="default", time_limit=930, headers=headers
    )
    until(lambda: dropped(worker, wake_up), 20)
    row = db.read(lambda tx: runs.read_run(tx, run_message.run_id)) or {}
    assert (row["status"], row["expect_since"] is None) == ("queued", False)


def gone() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        return process.pid


@pytest.mark.parametrize(("alive", "lost"), [(True, 0), (False, 1)], ids=["at-work", "gone"])
def test_a_callback_is_no_reason_to_take_a_step_from_a_process_that_lives(
    app: Celery, db: Database, worker: Worker, alive: bool, lost: int
) -> None:
    run_message, task = accepted(db, LINE), new_id("task")
    pid = os.getpid() if alive else gone()
    holder = Holder(nonce=f"{place()}:{pid}/x", task_id=task, lease_ms=600_000)
    db.write(lambda tx: locked_claim(tx, run_message.run_id, "forward", "first", run_message.gen, holder))

    app.send_task(canvas.ON_ERROR, args=(task,), queue="default")

    until(lambda: [line for line in worker.log.splitlines() if task in line and "on_error.looked" in line])
    (row,) = db.read(lambda tx: runs.some_steps(tx, run_message.run_id, "forward", "first")).values()
    assert row["lost"] == lost


def told_by_its_message(app: Celery, db: Database, ears: Ears, type_: str, word: str) -> tuple[str, Event]:
    """A run, and what its own message told of it: another message that ends may take the run first."""
    for _ in range(5):
        run_message = accepted(db, type_)
        publish(app, run_message, message_key_of(db).sign)
        task = f"{run_message.run_id}.forward."
        (told,) = until(partial(ears.ended, task))
        if word in str(told.get("exception") or told.get("result")):
            return run_message.run_id, told
    pytest.fail(f"No message of {type_} told of {word}: {told}")


def test_why_a_step_failed_is_in_its_exception_its_event_and_the_log(
    app: Celery, db: Database, worker: Worker
) -> None:
    with listening(app) as ears:
        run_id, told = told_by_its_message(app, db, ears, probes.broken.name, "StepFailed(")
    (row,) = db.read(lambda tx: runs.some_steps(tx, run_id, "forward", "promising")).values()
    assert row["error"] is not None
    why = f"{row['error']['code']}: {row['error']['message']}"
    assert why in told["exception"]
    (line,) = until(lambda: [x for x in worker.log.splitlines() if "step.failed" in x and run_id in x])
    assert why in line


def test_why_a_step_is_tried_again_is_in_the_result_of_its_task(
    app: Celery, db: Database, worker: Worker
) -> None:
    with listening(app) as ears:
        run_id, told = told_by_its_message(app, db, ears, probes.shaky.name, "retry_wait")
    assert "not yet" in told["result"]
    until(lambda: [one for one in worker.log.splitlines() if "step.retrying" in one and run_id in one])


def test_the_pool_of_a_worker_says_what_it_serves(app: Celery, db: Database) -> None:
    (one,) = until(lambda: db.read(workers.working), 20)
    assert one["name"].startswith("contract@")
    assert (one["queues"], one["processes"], one["release"]) == (["bmc", "default"], 3, release())


def test_celery_status_finds_the_worker(app: Celery, settings: Settings) -> None:
    told = said(settings, "celery", "-A", "tasks", "status", "--timeout", "8")
    assert told.returncode == 0, told.stderr
    assert "contract@" in told.stdout and "1 node online" in told.stdout


def test_what_celery_inspect_asks_for_is_the_truth(app: Celery) -> None:
    inspect = app.control.inspect(timeout=20, limit=1)
    (running,), (stats,) = (inspect.active() or {}).values(), (inspect.stats() or {}).values()
    (registered,), (queues,) = (inspect.registered() or {}).values(), (inspect.active_queues() or {}).values()
    assert (running, stats["prefetch_count"]) == ([], 3)
    assert stats["pool"]["processes"]
    assert {"windlass.link", "windlass.wake_up", "windlass.deliver", "windlass.on_error"} <= set(registered)
    assert {"default", "bmc"} <= {queue["name"] for queue in queues}


def test_celery_report_tells_the_versions_and_not_the_password_of_the_broker(settings: Settings) -> None:
    guarded = replace(settings, redis_url="redis://:hunter-two@127.0.0.1:1/0")
    told = said(guarded, "celery", "-A", "tasks", "report")
    assert told.returncode == 0, told.stderr
    assert "software -> celery:5.6.3" in told.stdout and "kombu:5.6.2" in told.stdout
    assert "redis://" in told.stdout
    assert "hunter-two" not in told.stdout + told.stderr


def test_a_wake_up_has_the_run_of_a_dropped_message_done(app: Celery, db: Database) -> None:
    run_message = accepted(db, LINE)
    publish(app, run_message, lambda *_: "")
    send(app, WakeUp(queue=run_message.queue), message_key_of(db).sign)
    until(lambda: status(db, run_message.run_id) == "completed", 20)
