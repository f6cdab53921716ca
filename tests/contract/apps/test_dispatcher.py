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
from tests.support.apps import AppsApi
from tests.support.handlers import Handler, handling, hangs
from tests.support.servers import until

QUEUE = "__wkf_workflow_greet"
PLACES = 8


@pytest.fixture
def dispatcher(apps_api: AppsApi) -> Iterator[Dispatcher]:
    short = replace(apps_api.world.settings, apps_deliveries=PLACES, lease_ms=1_000, heartbeat_ms=200)
    made = Dispatcher(apps_api.world.db, short)
    made.start()
    yield made
    made.close()


@pytest.fixture
def slow(dispatcher: Dispatcher) -> Iterator[Handler]:
    with handling() as made:
        made.answer = hangs
        yield made


def test_what_is_due_is_found_without_being_told(apps_api: AppsApi, dispatcher: Dispatcher) -> None:
    with handling() as quick:
        register(apps_api, "one", quick)
        enqueue(apps_api, "one", delay_ms=100)

        until(lambda: states(apps_api) == ["delivered"], 10)


def test_a_dispatcher_that_is_woken_looks(apps_api: AppsApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dispatcher, "_look_in_time", lambda _self: None)
    wake_up = AppWakeUp(apps_api.world.redis, apps_api.world.settings.redis_prefix)
    listening = Dispatcher(apps_api.world.db, apps_api.world.settings, wake_up)
    listening.start()
    with handling() as quick:
        register(apps_api, "one", quick)
        enqueue(apps_api, "one")

        def is_heard() -> bool:
            wake_up.publish()  # Again until it has subscribed: what came before is lost.
            return states(apps_api) == ["delivered"]

        until(is_heard, 10)
    listening.close()


@pytest.mark.parametrize(("first", "rests"), [(1, 0), (2, 1)])
def test_a_look_waits_for_others_only_after_one_that_claimed_several(
    apps_api: AppsApi, first: int, rests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(dispatcher_module, "TOGETHER_S", 3600.0)  # However slowly this test runs.
    idle = Dispatcher(apps_api.world.db, apps_api.world.settings, sleep=slept.append)
    with handling() as quick:
        register(apps_api, "one", quick)
        for count in (first, 1):
            for _ in range(count):
                enqueue(apps_api, "one")
            assert idle.look() == count
        until(lambda: len(quick.came) == first + 1, 10)
    assert len(slept) == rests


def test_an_app_whose_handlers_hang_holds_no_other_up(
    apps_api: AppsApi, dispatcher: Dispatcher, slow: Handler
) -> None:
    register(apps_api, "slow", slow)
    for _ in range(PLACES * 2):
        enqueue(apps_api, "slow")
    until(lambda: len(slow.came) >= PLACES // 2, 10)

    with handling() as quick:
        register(apps_api, "quick", quick)
        enqueue(apps_api, "quick")

        until(lambda: len(quick.came) == 1, 10)
    assert len(slow.came) == PLACES // 2


def test_a_long_delivery_is_made_once(apps_api: AppsApi, dispatcher: Dispatcher, slow: Handler) -> None:
    register(apps_api, "slow", slow)
    enqueue(apps_api, "slow")
    until(lambda: slow.came, 10)
    lease = due(apps_api)

    until(lambda: due(apps_api) > lease + 2_000, 10, "the lease was prolonged twice")
    slow.held.set()

    until(lambda: states(apps_api) == ["delivered"], 10)
    assert len(slow.came) == 1


def test_who_stops_gives_back_what_has_not_ended(
    apps_api: AppsApi, dispatcher: Dispatcher, slow: Handler
) -> None:
    register(apps_api, "slow", slow)
    enqueue(apps_api, "slow")
    until(lambda: slow.came, 10)

    left = dispatcher.drain(0)

    assert left == 1
    assert due(apps_api) <= apps_api.world.db.read(lambda tx: tx.now)
    assert states(apps_api) == ["open"]


def test_what_a_handler_asks_for_again_comes_again(apps_api: AppsApi, dispatcher: Dispatcher) -> None:
    def answer(handler: Handler, *_: object) -> tuple[int, dict[str, str], bytes]:
        # By message and not by delivery: where a lease ends on a slow machine, a message comes twice.
        return 200, {}, json.dumps({"timeoutSeconds": 0} if len(ids(handler)) < 5 else {}).encode()

    with handling() as made:
        made.answer = answer
        register(apps_api, "one", made)
        enqueue(apps_api, "one")

        until(lambda: states(apps_api) == ["delivered"] * 5, 10)

    assert len(ids(made)) == 5


def ids(handler: Handler) -> set[str]:
    return {one.json["meta"]["messageId"] for one in handler.came}


def register(api: AppsApi, app: str, handler: Handler) -> None:
    body = {"podId": "a", "deploymentVersion": "v1", "endpoints": handler.endpoints()}
    handlers.register(api.world.db, app, body, handlers.reach(api.world.settings))


def enqueue(api: AppsApi, app: str, delay_ms: int = 0) -> None:
    asked = Envelope(
        queue=QUEUE, message=b"{}", cbor=False, run_id="", version="v1", key=None, delay_ms=delay_ms
    )
    queue.enqueue(api.world, app, asked)


def states(api: AppsApi) -> list[str]:
    found = app_message.select().order_by(app_message.c.id)
    return [row["state"] for row in api.world.db.read(lambda tx: tx.rows(found))]


def due(api: AppsApi) -> int:
    (row,) = api.world.db.read(lambda tx: tx.rows(app_message.select()))
    return int(row["due_at"] or 0)
