"""The metrics for Prometheus, computed from SQL at each scrape.

Labels never hold ids: each id would become a time series of its own, and their number has no limit.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from app.domain.plan import QUEUES
from app.record import listing
from app.record.inventory import sources
from app.record.runs import lost_messages, metrics
from app.record.runs.metrics import Period
from app.record.session import Tx
from app.services import workers
from app.services.context import AppContext

DAY_MS = 86_400_000
BOUNDS_S = (1, 5, 15, 60, 300, 900, 1_800, 3_600, 7_200, 21_600)


def exposition(world: AppContext) -> bytes:
    """The Prometheus text format."""
    registry = CollectorRegistry(auto_describe=False)
    found = world.db.read(lambda tx: list(_families(tx)))
    registry.register(Snapshot([*found, *_queues(world)]))
    return generate_latest(registry)


class Snapshot(Collector):
    """Metrics that were read already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        yield from self._families


def _families(tx: Tx) -> Iterator[Metric]:
    yield from _ended(tx)
    open_ = GaugeMetricFamily("windlass_runs", "Runs that have not ended.", labels=("type", "status"))
    for row in metrics.open_runs(tx):
        open_.add_metric((row["type"], row["status"]), row["runs"])
    yield open_
    steps = GaugeMetricFamily("windlass_steps_running", "Steps that run now.", labels=("queue",))
    for row in metrics.running_steps(tx):
        steps.add_metric((row["queue"],), row["steps"])
    yield steps
    sent = GaugeMetricFamily("windlass_webhook_deliveries", "Deliveries that are kept.", labels=("status",))
    for row in metrics.deliveries(tx):
        sent.add_metric((row["status"],), row["deliveries"])
    yield sent
    yield from _reasons(tx)
    yield from _watched(tx)
    yield from _ages(tx)


def _queues(world: AppContext) -> Iterator[Metric]:
    """Messages of each queue while Redis answers, and how many processes serve it."""
    length = GaugeMetricFamily("windlass_queue_length", "Messages in a queue.", labels=("queue",))
    served = GaugeMetricFamily("windlass_queue_processes", "Processes that serve a queue.", labels=("queue",))
    for one in workers.queues(world):
        if one["queue"] in QUEUES:  # Those of code workflows have names without number.
            served.add_metric((one["queue"],), one["processes"])
            if one["length"] is not None:
                length.add_metric((one["queue"],), one["length"])
    yield from (length, served)


def _reasons(tx: Tx) -> Iterator[Metric]:
    """Of the last day alone, so they are gauges: they fall as well."""
    day = Period(since=tx.now - DAY_MS, until=tx.now)
    failed = GaugeMetricFamily(
        "windlass_runs_failed_last_day", "Runs that failed in the last day.", labels=("type", "reason")
    )
    took = GaugeHistogramMetricFamily(
        "windlass_run_seconds_last_day", "Time that runs of the last day took.", labels=("type",)
    )
    times: dict[str, list[int]] = {}
    for row in metrics.endings(tx, day):
        if row["code"] is not None:
            failed.add_metric((row["type"], row["code"]), row["runs"])
        times.setdefault(row["type"], []).extend(row["took"] or ())
    for name, all_ms in sorted(times.items()):
        bounds = [(str(float(s)), float(sum(ms <= s * 1000 for ms in all_ms))) for s in BOUNDS_S]
        buckets = [*bounds, ("+Inf", float(len(all_ms)))]
        took.add_metric((name,), buckets=buckets, gsum_value=sum(all_ms) / 1000)
    yield from (failed, took)


def _watched(tx: Tx) -> Iterator[Metric]:
    """Sources by the name that people gave to their management cluster, and the kind of object."""
    labels = ("management", "kind")
    age = GaugeMetricFamily("windlass_source_age_seconds", "Age of what is known of a source.", labels=labels)
    failing = GaugeMetricFamily("windlass_source_failing", "Whether it cannot be watched now.", labels=labels)
    objects = GaugeMetricFamily("windlass_source_objects", "Objects of ours that are there.", labels=labels)
    for row in sources.all_sources(tx):
        if row["kind"] != sources.SERVERS:
            told = (str(row["name"]), row["kind"])
            failing.add_metric(told, float(row["problem"] is not None or row["seen_at"] is None))
            objects.add_metric(told, row["objects"])
            if row["seen_at"] is not None:
                age.add_metric(told, max(0, tx.now - row["seen_at"]) / 1000)
    yield from (age, failing, objects)


def _ended(tx: Tx) -> Iterator[Metric]:
    ended = CounterMetricFamily("windlass_runs_ended", "Runs that ended.", labels=("type", "status"))
    seconds = CounterMetricFamily(
        "windlass_run_duration_seconds", "Time that ended runs took in all.", labels=("type", "status")
    )
    for row in metrics.ended_totals(tx):
        ended.add_metric((row["type"], row["status"]), row["runs"])
        seconds.add_metric((row["type"], row["status"]), row["duration_ms"] / 1000)
    yield ended
    yield seconds


def _ages(tx: Tx) -> Iterator[Metric]:
    held, oldest_lock = metrics.locks_held(tx)
    yield GaugeMetricFamily("windlass_locks_held", "Resources that are locked.", value=held)
    ages = {
        "windlass_lock_oldest_age_seconds": ("Age of the oldest lock.", oldest_lock),
        "windlass_message_oldest_age_seconds": (
            "Age of the oldest message that is due.",
            lost_messages.oldest_expected(tx),
        ),
        "windlass_reconciler_beat_age_seconds": (
            "Silence of the newest reconciler.",
            listing.newest_beat(tx, "reconciler"),
        ),
        "windlass_projector_beat_age_seconds": (
            "Silence of the newest projector.",
            listing.newest_beat(tx, "projector"),
        ),
    }
    for name, (says, since) in ages.items():
        if since is not None:
            yield GaugeMetricFamily(name, says, value=max(0, tx.now - since) / 1000)
