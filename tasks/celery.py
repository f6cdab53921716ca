"""The Celery application of the workers: ``celery -A tasks worker|status|inspect`` and Flower find it here.

No connection to SQL exists before the fork; each pool process makes its own.
"""

from typing import Any

import structlog
from celery.signals import setup_logging, worker_process_init

from app import logs
from app.config import load
from app.engine.execute import Runner
from app.engine.instance import instance
from app.wiring import celery_app, wire
from chains import catalogue
from tasks.world import World as RealWorld

settings = load()
app = celery_app(settings, worker=True)
app.conf.imports = ("tasks.link",)
log = structlog.get_logger(__name__)
_runner: Runner | None = None


@setup_logging.connect
def _logging(**_kw: Any) -> None:
    logs.configure(settings.log_level)


@worker_process_init.connect
def _forked(**_kw: Any) -> None:
    """A pool process begins: its steps are known, its connections are its own."""
    global _runner
    _runner = None
    catalogue.types()


def runner() -> Runner:
    """What the links of this process share, made on first use."""
    global _runner
    if _runner is None:
        world = wire(settings, role="worker")
        _runner = Runner(
            db=world.db,
            ring=world.ring,
            capabilities=RealWorld(settings=settings, db=world.db, opener=lambda: world.opener),
            instance=instance(),
            lease_ms=settings.lease_ms,
            heartbeat_ms=settings.heartbeat_ms,
        )
    return _runner
