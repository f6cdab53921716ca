"""A broker that dies, freezes or forgets: workers come back, and publishing never holds anybody up."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from kombu.exceptions import OperationalError
from redis import Redis

from app.config import Settings
from app.domain.plan import Segment
from app.engine.messages.publisher import Publisher as Publish
from app.engine.transitions.journal import Message, RunMessage, TimerMessage
from app.wiring import wire
from chains.messages import DeliveryMessage
from tests.integration.celery.conftest import CARRIER
from tests.integration.celery.workers import TYPE, Publisher, Worker, lengths
from tests.support.servers import KeyValue, new_redis, remove, until

RESTARTS = 5
# A hint holds its caller up for two seconds at most; whoever waits for the broker waits for ever, and whoever
# asks it for each of a hundred hints, more than three minutes.
RING_S = 60.0
INLINE_S = 1.0  # Whoever asks a frozen broker itself takes longer.
MESSAGE = RunMessage(
    run_id="run_1",
    type=TYPE,
    phase="forward",
    gen=1,
    segments=(Segment(first="ok", last="ok", queue="default", limit_ms=1_000),),
)
HINTS = (MESSAGE, TimerMessage(timer_id="tmr_1", due_at=1), DeliveryMessage(delivery_id="del_1", fence=0))


@pytest.fixture
def busy_worker(settings: Settings, tmp_path: Path) -> Iterator[Worker]:
    """A worker with three pool processes."""
    with Worker(settings, tmp_path / "worker", CARRIER, processes=3) as started:
        yield started


@pytest.fixture
def own_broker() -> Iterator[KeyValue]:
    """A broker that a test may leave dead or frozen."""
    server = new_redis()
    server.start()
    yield server
    remove(server)


@pytest.fixture(params=["worker", "reconciler"])
def publish(own_broker: KeyValue, sqlite_url: str, request: pytest.FixtureRequest) -> Publish:
    """Rings in the caller's own thread, as workers and reconcilers do."""
    return wire(Settings(redis_url=own_broker.url, database_url=sqlite_url), role=request.param).publish


def sent(publisher: Publisher, *steps: str) -> str | None:
    """The run, once the broker has taken it."""
    with suppress(OperationalError):
        return publisher.send(*steps)
    return None


def publishes(publish: Publish) -> bool:
    """Ring, and say so."""
    publish([MESSAGE])
    return True


def freeze(broker: KeyValue) -> None:
    """It accepts connections and never answers."""
    with Redis.from_url(broker.url) as client:
        number = int(client.info("server")["process_id"])
    psutil.Process(number).suspend()


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def test_a_busy_worker_consumes_again_after_every_restart_of_its_broker(
    busy_worker: Worker, publisher: Publisher, broker: KeyValue
) -> None:
    main = busy_worker.main.pid
    for _ in range(RESTARTS):
        for _ in range(20):
            publisher.send("ok-1", "ok-2", "ok-3")
        broker.restart_empty()
        run = until(lambda: sent(publisher, "ok"))
        busy_worker.noted("link", str(run))
    assert (busy_worker.lives, busy_worker.main.pid) == (True, main)


def test_a_failed_publish_reaches_nobody_and_the_next_one_after_a_pause_does(
    publish: Publish, own_broker: KeyValue
) -> None:
    own_broker.kill()
    publish([MESSAGE])
    own_broker.start()
    until(lambda: publishes(publish) and lengths(own_broker, "wl:") == {"wl:default": 1})


@pytest.mark.parametrize("hint", HINTS, ids=lambda hint: type(hint).__name__)
def test_ringing_at_a_dead_broker_returns_at_once(
    publish: Publish, own_broker: KeyValue, hint: Message
) -> None:
    own_broker.kill()
    assert seconds(lambda: publish([hint])) < RING_S


@pytest.mark.parametrize("hint", HINTS, ids=lambda hint: type(hint).__name__)
def test_ringing_at_a_frozen_broker_returns_soon(
    publish: Publish, own_broker: KeyValue, hint: Message
) -> None:
    freeze(own_broker)
    assert seconds(lambda: publish([hint])) < RING_S


@pytest.mark.parametrize("hint", HINTS, ids=lambda hint: type(hint).__name__)
def test_ringing_at_a_broker_that_froze_later_returns_soon(
    publish: Publish, own_broker: KeyValue, hint: Message
) -> None:
    publish([hint])
    freeze(own_broker)
    assert seconds(lambda: publish([hint])) < RING_S


def test_many_hints_for_a_frozen_broker_cost_no_more_than_one(publish: Publish, own_broker: KeyValue) -> None:
    freeze(own_broker)
    assert seconds(lambda: publish([MESSAGE] * 100)) < RING_S


def test_the_publish_of_the_api_never_waits(own_broker: KeyValue) -> None:
    freeze(own_broker)
    publishers = [wire(Settings(redis_url=own_broker.url), role="api").publish for _ in range(5)]
    # The quickest of some: a busy machine may hold one of them up.
    assert min(seconds(lambda publish=publish: publish([MESSAGE] * 100)) for publish in publishers) < INLINE_S  # type: ignore[misc]
