"""The process that delivers: slow handlers hold nobody up, leases last as long as they, a stop gives back."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.domain.apps.envelope import Envelope
from app.engine.messages.app_wake_up import AppWakeUp
from app.record.tables import app_message
from app.services.apps import handlers, queue
from app.worker import dispatcher as dispatcher_module
from app.worker.dispatcher import Dispatcher
from tests.support.apps import Door
from tests.support.handlers import Handler, handling, hangs
from tests.support.servers import until

QUEUE = "__wkf_workflow_greet"
PLACES = 8


@pytest.fixture
def dispatcher(apps_door: Door) -> Iterator[Dispatcher]:
    short = replace(apps_door.world.settings, apps_deliveries=PLACES, lease_ms=1_000, heartbeat_ms=200)
    made = Dispatcher(apps_door.world.db, short)
    made.start()
    yield made
    made.close()


@pytest.fixture
def slow(dispatcher: Dispatcher) -> Iterator[Handler]:
    with handling() as made:
        made.answer = hangs
        yield made


def test_what_is_due_is_found_without_being_told(apps_door: Door, dispatcher: Dispatcher) -> None:
    with handling() as quick:
        register(apps_door, "one", quick)
        enqueue(apps_door, "one", delay_ms=100)

        until(lambda: states(apps_door) == ["delivered"], 10)


def test_a_dispatcher_that_is_woken_looks(apps_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dispatcher, "_look_in_time", lambda _self: None)
    wake_up = AppWakeUp(apps_door.world.redis, apps_door.world.settings.redis_prefix)
    listening = Dispatcher(apps_door.world.db, apps_door.world.settings, wake_up)
    listening.start()
    with handling() as quick:
        register(apps_door, "one", quick)
        enqueue(apps_door, "one")

        def is_heard() -> bool:
            wake_up.publish()  # Again until it has subscribed: what came before is lost.
            return states(apps_door) == ["delivered"]

        until(is_heard, 10)
    listening.close()


@pytest.mark.parametrize(("first", "rests"), [(1, 0), (2, 1)])
def test_a_look_waits_for_others_only_after_one_that_claimed_several(
    apps_door: Door, first: int, rests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(dispatcher_module, "TOGETHER_S", 3600.0)  # However slowly this test runs.
    idle = Dispatcher(apps_door.world.db, apps_door.world.settings, sleep=slept.append)
    with handling() as quick:
        register(apps_door, "one", quick)
        for count in (first, 1):
            for _ in range(count):
                enqueue(apps_door, "one")
            assert idle.look() == count
        until(lambda: len(quick.came) == first + 1, 10)
    assert len(slept) == rests


def test_an_app_whose_handlers_hang_holds_no_other_up(
    apps_door: Door, dispatcher: Dispatcher, slow: Handler
) -> None:
    register(apps_door, "slow", slow)
    for _ in range(PLACES * 2):
        enqueue(apps_door, "slow")
    until(lambda: len(slow.came) >= PLACES // 2, 10)

    with handling() as quick:
        register(apps_door, "quick", quick)
        enqueue(apps_door, "quick")

        until(lambda: len(quick.came) == 1, 10)
    assert len(slow.came) == PLACES // 2


def test_a_long_delivery_is_made_once(apps_door: Door, dispatcher: Dispatcher, slow: Handler) -> None:
    register(apps_door, "slow", slow)
    enqueue(apps_door, "slow")
    until(lambda: slow.came, 10)
    lease = due(apps_door)

    until(lambda: due(apps_door) > lease + 2_000, 10, "the lease was prolonged twice")
    slow.held.set()

    until(lambda: states(apps_door) == ["delivered"], 10)
    assert len(slow.came) == 1


def test_who_stops_gives_back_what_has_not_ended(
    apps_door: Door, dispatcher: Dispatcher, slow: Handler
) -> None:
    register(apps_door, "slow", slow)
    enqueue(apps_door, "slow")
    until(lambda: slow.came, 10)

    left = dispatcher.drain(0)

    assert left == 1
    assert due(apps_door) <= apps_door.world.db.read(lambda tx: tx.now)
    assert states(apps_door) == ["open"]


def test_what_a_handler_asks_for_again_comes_again(apps_door: Door, dispatcher: Dispatcher) -> None:
    def answer(handler: Handler, *_: object) -> tuple[int, dict[str, str], bytes]:
        # By message and not by delivery: where a lease ends on a slow machine, a message comes twice.
        return 200, {}, json.dumps({"timeoutSeconds": 0} if len(ids(handler)) < 5 else {}).encode()

    with handling() as made:
        made.answer = answer
        register(apps_door, "one", made)
        enqueue(apps_door, "one")

        until(lambda: states(apps_door) == ["delivered"] * 5, 10)

    assert len(ids(made)) == 5


def ids(handler: Handler) -> set[str]:
    return {one.json["meta"]["messageId"] for one in handler.came}


def register(door: Door, app: str, handler: Handler) -> None:
    body = {"podId": "a", "deploymentVersion": "v1", "endpoints": handler.endpoints()}
    handlers.register(door.world.db, app, body, handlers.reach(door.world.settings))


def enqueue(door: Door, app: str, delay_ms: int = 0) -> None:
    asked = Envelope(
        queue=QUEUE, message=b"{}", cbor=False, run_id="", version="v1", key=None, delay_ms=delay_ms
    )
    queue.enqueue(door.world, app, asked)


def states(door: Door) -> list[str]:
    found = app_message.select().order_by(app_message.c.id)
    return [row["state"] for row in door.world.db.read(lambda tx: tx.rows(found))]


def due(door: Door) -> int:
    (row,) = door.world.db.read(lambda tx: tx.rows(app_message.select()))
    return int(row["due_at"] or 0)
