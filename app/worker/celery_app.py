"""The Celery application of the workers: ``celery -A tasks worker|status|inspect`` and Flower find it here.

No connection to SQL exists before the fork; each pool process makes its own.
"""

import gc
from functools import cache
from typing import Any

import structlog
from billiard import current_process
from celery.signals import (
    celeryd_after_setup,
    setup_logging,
    task_postrun,
    worker_before_create_process,
    worker_process_init,
)
from kombu.transport import TRANSPORT_ALIASES

from app import logs
from app.config import load
from app.engine.process_id import instance
from app.providers import bmc
from app.services import authored, presence, workers
from app.services.children import ChildRuns
from app.wiring import AppContext, celery_app, wire
from app.worker.execute import Runner
from app.worker.fitness import end_if_unfit
from chains import catalogue
from tasks.capabilities import Reach

settings = load()
app = celery_app(settings, worker=True)
TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "app.worker.transport:Transport"))
app.conf.worker_consumer = "app.worker.transport:Consumer"
app.conf.imports = ("app.worker.tasks",)
log = structlog.get_logger(__name__)
_POOL: dict[str, Any] = {}  # The facts about this main process that heartbeats report.


@setup_logging.connect
def _logging(**_kw: object) -> None:
    logs.configure(settings.log_level)


@celeryd_after_setup.connect
def _named(sender: str, instance: Any, **_kw: object) -> None:
    """Store the main's name and queues; its pool processes inherit them, and one of them sends heartbeats."""
    _POOL.update(name=sender, queues=list(instance.app.amqp.queues.consume_from))
    _POOL.update(processes=instance.concurrency)


def pool_facts() -> dict[str, Any]:
    """The facts about this main process that heartbeats report: its name, queues and number of processes."""
    return dict(_POOL)


@worker_before_create_process.connect
def _forking(**_kw: object) -> None:
    _settle()


@cache
def _settle() -> None:
    """Before the first fork, load steps and drivers, and exclude them from garbage collection.

    Pool processes share memory pages until one writes to them, and the collector writes to each object that
    it examines. With fewer objects it also runs earlier: a full collection waits until the new objects are a
    quarter of those that the last one examined.
    """
    catalogue.types()
    if "bmc" in _POOL.get("queues", ()):
        for protocol in bmc.DRIVERS:
            bmc.driver(protocol)
    gc.collect()
    gc.freeze()


@worker_process_init.connect
def _forked(**_kw: object) -> None:
    """A pool process begins: it loads the steps, and makes connections of its own."""
    world.cache_clear()
    runner.cache_clear()
    catalogue.types()
    if settings.imports:
        _serve_workflows()
    if _POOL and _is_first():
        workers.keep_beating(world().db, **_POOL, serve=_serve)


@task_postrun.connect
def _ended(**_kw: Any) -> None:
    """A task has ended: end this process if it cannot take another one."""
    end_if_unfit()


def _serve(takes_work: bool) -> None:
    """Have the main process of this pool consume its queues, or stop consuming them."""
    change = app.control.add_consumer if takes_work else app.control.cancel_consumer
    for queue in _POOL["queues"]:
        change(queue, destination=[_POOL["name"]])


def _is_first() -> bool:
    """Whether this is the pool process that reports for the pool; its replacement has the same index."""
    return getattr(current_process(), "index", 0) == 0


def _serve_workflows() -> None:
    """Import the authors' modules, after the fork: connections that they open must not be shared."""
    try:
        found = authored.load(settings)
    except authored.CannotImport as error:
        log.error("workflows.not_imported", error=error.message)
        raise SystemExit(1) from error  # The main starts another process, and gives up after several.
    if _is_first():
        presence.keep_telling(world(), found)


@cache
def world() -> AppContext:
    """The context of this process, built on first use."""
    return wire(settings, role="worker")


@cache
def runner() -> Runner:
    """The objects that the links of this process share, built on first use."""
    own = world()
    return Runner(
        db=own.db,
        publish=own.publish,
        capabilities=Reach(
            settings=settings,
            db=own.db,
            opener=lambda: own.opener,
            children=ChildRuns(own.db, own.publish),
        ),
        instance=instance(),
        lease_ms=settings.lease_ms,
        heartbeat_ms=settings.heartbeat_ms,
    )
