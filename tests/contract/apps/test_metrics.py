"""What Prometheus reads from the apps API: what is under way in every process, and counters."""

from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from app.domain.apps.envelope import Envelope
from app.services.apps import handlers, meter, queue
from app.services.apps.meter import Meter
from app.worker.dispatcher import Dispatcher
from tests.support.apps import HOST, PATIENCE_S, AppsApi
from tests.support.handlers import Handler, handling, hangs
from tests.support.servers import until

START = {"workflowName": "greet", "deploymentId": "v1"}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "BEAT_S", 0.0)
    monkeypatch.setattr("app.api.apps.numbers.FRESH_S", 0.0)


def test_events_are_counted_and_duplicates_are_not(apps_api: AppsApi) -> None:
    for kind in ("run_created", "run_created", "run_started", "run_started", "run_completed"):
        assert apps_api.event("wrun_1", kind, specVersion=6, eventData=START).status == 200

    assert metric(apps_api, "windlass_app_events_total") == 3


def test_a_delivery_is_in_flight_until_its_handler_has_answered(
    apps_api: AppsApi, dispatcher: Dispatcher
) -> None:
    with handling() as handler:
        handler.answer = hangs
        enqueue(apps_api, handler)

        until(lambda: metric(apps_api, "windlass_app_deliveries_in_flight") == 1, 10)
        assert metric(apps_api, "windlass_app_delivery_seconds_count") == 0
        handler.held.set()
        until(lambda: metric(apps_api, "windlass_app_delivery_seconds_count") == 1, 10)
        until(lambda: metric(apps_api, "windlass_app_deliveries_in_flight") == 0, 10)


def test_deliveries_of_all_processes_are_added_up(apps_api: AppsApi) -> None:
    one, other = (Meter(apps_api.world.db, meter.DELIVERIES) for _ in range(2))
    for seconds in (0.02, 0.3, 10_000.0):
        one.took(seconds)
    other.took(0.02)

    one.report(0)
    other.report(0)
    other.report(0)  # Nothing is counted twice.

    assert metric(apps_api, 'windlass_app_delivery_seconds_bucket{le="0.05"}') == 2
    assert metric(apps_api, 'windlass_app_delivery_seconds_bucket{le="900"}') == 3
    assert metric(apps_api, "windlass_app_delivery_seconds_count") == 4
    assert metric(apps_api, "windlass_app_delivery_seconds_sum") == pytest.approx(10_000.34)


def test_counts_that_the_database_did_not_take_are_told_later(apps_api: AppsApi) -> None:
    counts = Meter(apps_api.world.db, meter.DELIVERIES)
    counts.took(0.02)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.record.apps.numbers.add", _fails)
        with pytest.raises(ZeroDivisionError):
            counts.report(0)

    counts.report(0)

    assert metric(apps_api, "windlass_app_delivery_seconds_count") == 1


def test_readers_of_streams_are_told_while_they_read(apps_api: AppsApi) -> None:
    apps_api.event("wrun_1", "run_created", specVersion=6, eventData=START)
    apps_api.ask("PUT", "/runs/wrun_1/streams/lines", "first")
    reading = HTTPConnection(HOST, apps_api.port, timeout=PATIENCE_S)
    reading.request("GET", f"/api/v1/apps/{apps_api.app}/streams/lines?stream=true")
    assert reading.getresponse().read(5) == b"first"

    until(lambda: metric(apps_api, "windlass_app_stream_readers") == 1, 10)
    reading.close()
    until(lambda: metric(apps_api, "windlass_app_stream_readers") == 0, 10)


@pytest.fixture
def dispatcher(apps_api: AppsApi) -> Iterator[Dispatcher]:
    made = Dispatcher(apps_api.world.db, apps_api.world.settings)
    made.start()
    yield made
    made.close()


def metric(api: AppsApi, name: str) -> float:
    """The value of one line of the metrics."""
    lines = api.send("GET", "/metrics").body.decode().splitlines()
    return float(next(line.rpartition(" ")[2] for line in lines if line.startswith(f"{name} ")))


def enqueue(api: AppsApi, handler: Handler) -> None:
    """A message for a handler."""
    body = {"podId": "one", "deploymentVersion": "v1", "endpoints": handler.endpoints()}
    handlers.register(api.world.db, "default", body, handlers.reach(api.world.settings))
    asked = Envelope(
        queue="__wkf_workflow_greet",
        message=b'{"runId":"wrun_1"}',
        cbor=False,
        run_id="wrun_1",
        version="v1",
        key=None,
        delay_ms=0,
    )
    queue.enqueue(api.world, "default", asked)


def _fails(*_given: object) -> None:
    raise ZeroDivisionError
