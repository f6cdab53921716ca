"""The metrics of apps for Prometheus, read from SQL at most once in fifteen seconds."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from app.api.health.exposition import Snapshot
from app.record.apps import applications
from app.record.apps.numbers import last_event
from app.record.session import Tx
from app.services.apps import meter
from app.services.context import AppContext

FRESH_S = 15.0  # How long an answer is reused: counting all runs takes long when there are many.


def exposition(world: AppContext, *, named: bool) -> bytes:
    """The metrics in Prometheus' text format; ``named``: by application, else sums."""
    name = f"apps.metrics.{named}"
    families = world.db.remembered(name, lambda tx: list(_families(tx, named)), for_s=FRESH_S)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Snapshot(families))
    return generate_latest(registry)


def _families(tx: Tx, named: bool) -> Iterator[Metric]:
    yield _counted(tx, "run", "windlass_app_runs", "Runs of applications.", "status", named)
    yield _counted(tx, "message", "windlass_app_messages", "Messages of applications.", "state", named)
    due = applications.oldest_due(tx)
    age = GaugeMetricFamily("windlass_app_message_age_seconds", "For how long the oldest message is due.")
    age.add_metric((), 0.0 if due is None else max(0, tx.now - due) / 1000)
    yield age
    yield CounterMetricFamily("windlass_app_events", "Events that were written.", last_event(tx))
    yield _delivered(tx)
    for what, name, says in (
        (meter.DELIVERIES, "windlass_app_deliveries_in_flight", "Messages that a handler works on now."),
        (meter.READERS, "windlass_app_stream_readers", "Readers that follow a stream now."),
    ):
        yield GaugeMetricFamily(name, says, meter.under_way(tx, what))


def _delivered(tx: Tx) -> Metric:
    up_to, seconds = meter.deliveries(tx)
    bounds = (*(f"{bound:g}" for bound in meter.BOUNDS_S), "+Inf")
    buckets = [(bound, float(count)) for bound, count in zip(bounds, up_to, strict=True)]
    says = "How long handlers took for a message, whatever they answered."
    return HistogramMetricFamily("windlass_app_delivery_seconds", says, buckets, seconds)


def _counted(tx: Tx, table: str, name: str, says: str, label: str, named: bool) -> Metric:
    counts: Counter[tuple[str, ...]] = Counter()
    for row in applications.count_by(tx, table):
        counts[(row["app"], row["status"]) if named else (row["status"],)] += row["rows"]
    family = GaugeMetricFamily(name, says, labels=("app", label) if named else (label,))
    for labels, rows in sorted(counts.items()):
        family.add_metric(labels, rows)
    return family
