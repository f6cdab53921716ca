"""The composition root: settings become a database, a broker and keys, in one place."""

import secrets
from collections.abc import Mapping
from functools import partial

from celery import Celery
from kombu import Exchange, Queue

from app.auth.message_key import BYTES, MessageKey
from app.config import Settings, forget_ambient, load
from app.domain.apps.words import QUEUE
from app.domain.plan import QUEUES
from app.engine.code import limits
from app.engine.messages.app_wake_up import AppWakeUp
from app.engine.messages.publisher import LATE_MS, background, new_publisher
from app.engine.messages.timer_cache import TimerSet
from app.record.fast_path import ready
from app.record.service import heartbeats
from app.record.session import Database, Limits
from app.services.context import AppContext, Role
from chains import catalogue

__all__ = ["AppContext", "Role", "celery_app", "message_key_of", "wire"]

# No statement and no wait for a row lock is without a limit. `Database.write` repeats what failed because of
# one, for as long as its caller asks; the reconciler continues with other rows and returns later.
LIMITS: Mapping[Role, Limits] = {
    "api": Limits(statement_ms=5_000, lock_ms=1_000, busy_ms=5_000),
    "worker": Limits(statement_ms=30_000, lock_ms=1_000),
    "reconciler": Limits(statement_ms=5_000, lock_ms=200, busy_ms=1_000),
    "projector": Limits(statement_ms=30_000, lock_ms=1_000),
    # A doctor or a backup works for long on what one statement has found, and holds no row.
    "cli": Limits(statement_ms=600_000, lock_ms=5_000, idle_ms=600_000),
}


def wire(settings: Settings | None = None, role: Role = "api") -> AppContext:
    """Put a process together; nothing connects before it is used."""
    settings = settings or load()
    limits.BYTES.most = settings.run_bytes
    catalogue.types()  # Whoever moves a run has to know its steps, also when it never starts one.
    db = Database(settings.database, limits=LIMITS[role])
    # Publishers use 1 s timeouts, also inside workers; the consuming app is built in `app.worker.celery_app`.
    app = celery_app(settings, worker=False)
    quick = settings.broker.client(socket_timeout=1, socket_connect_timeout=1, decode_responses=True)
    timers = TimerSet(quick, settings.redis_prefix)
    signing = message_key_of(db)
    publish = new_publisher(
        app,
        timers,
        lambda queue: int(quick.llen(f"{settings.redis_prefix}{queue}")),
        signing.sign,
        AppWakeUp(quick, settings.redis_prefix).publish,
    )
    if role == "api":
        publish = background(publish, partial(_waits, db))
    return AppContext(
        settings=settings, role=role, db=db, publish=publish, celery=app, redis=quick, message_key=signing
    )


def message_key_of(db: Database) -> MessageKey:
    """The key that signs messages: made by the first process that needs it, the same for all from then on."""

    def load() -> str:
        known = db.read(lambda tx: heartbeats.fact(tx, "message_key"))
        if known is not None:
            return str(known["value"])
        return db.write(lambda tx: heartbeats.first_fact(tx, "message_key", secrets.token_hex(BYTES)))

    return MessageKey(load)


def _waits(db: Database, queue: str) -> bool:
    """Whether something has waited in a queue for longer than a worker at work needs to find it."""
    if queue == QUEUE:  # Whoever delivers does not look by itself for what has just come.
        return True
    return ready.anything(db, queue, LATE_MS)


def celery_app(settings: Settings, *, worker: bool) -> Celery:
    """The Celery application, tuned for workers or for publishers; its transport may lose anything."""
    forget_ambient()
    broker = settings.broker
    app = Celery("windlass", broker=broker.celery_url, set_as_current=worker)
    transport = {
        "global_keyprefix": settings.redis_prefix,
        "visibility_timeout": 3600,
        "socket_keepalive": True,
        "health_check_interval": 10,
    }
    patience = (
        {"socket_timeout": 10, "socket_connect_timeout": 3}
        if worker
        else {"socket_timeout": 1, "socket_connect_timeout": 1, "max_retries": 0}
    )
    app.conf.update(
        broker_transport_options={**transport, **patience},
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_use_ssl=None if broker.tls is None else dict(broker.tls),
        task_default_queue="default",
        task_queues=[Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
        task_create_missing_queues=True,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=False,
        task_reject_on_worker_lost=False,
        task_publish_retry=False,
        task_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        task_send_sent_event=False,  # It bears no shadow, and would rename in Flower what it overtakes.
        worker_send_task_events=True,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_max_tasks_per_child=50_000,
        worker_soft_shutdown_timeout=settings.soft_shutdown_s,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    return app
