"""How workers receive messages and send task events, where Celery's own way costs more than it gives here.

A lost message is published again from SQL. So the messages that a worker has received are kept in its memory
alone. Celery would keep a copy of each in Redis, for two more round trips, and deliver it again after an
hour, when the reconciler has long published another one.
"""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from json import JSONDecodeError
from queue import Empty
from typing import Any
from uuid import uuid4

import structlog
from celery.worker.consumer import Consumer as CeleryConsumer
from kombu.transport import redis, virtual

log = structlog.get_logger(__name__)
SILENCE_S = 5.0  # Redis answers each wait for a message after a second; this much later it is out of reach.
LOOK_EVERY_S = 1.0
EVENTS_EVERY_S = 0.1  # What Flower shows may be this much late; Celery would send every event by itself.


class QoS(virtual.QoS):
    """The messages that this worker has taken and not begun."""

    channel: Any
    _delivered: Any
    _quick_ack: Callable[[str], None]
    _flush: Callable[[], None]

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Let go of a message, or give it back."""
        if requeue:
            self._give_back([self._delivered[delivery_tag]])
        self._quick_ack(delivery_tag)

    def restore_unacked(self) -> list[object]:  # type: ignore[override]
        """Give back what was not begun when the worker stops."""
        self._flush()
        self._give_back(list(self._delivered.values()))
        self._delivered.clear()
        return []

    def _give_back(self, messages: list[Any]) -> None:
        with self.channel.conn_or_acquire() as client:
            for message in messages:
                where = message.delivery_info
                self.channel._do_restore_message(
                    message._raw, where["exchange"], where["routing_key"], client, leftmost=True
                )


class Message(virtual.Message):
    """A message; what somebody pushed that is none becomes an empty one, which Celery refuses and forgets."""

    def __init__(self, payload: Any, channel: Any = None, **how: object) -> None:
        try:
            super().__init__(payload, channel, **how)
        except (AttributeError, LookupError, TypeError, ValueError):
            nowhere = {"exchange": "", "routing_key": ""}
            empty = {"properties": {"delivery_tag": uuid4().hex, "delivery_info": nowhere}}
            super().__init__(empty, channel, **how)
        self.body = self.body or ""  # Celery measures what it refuses.


class Channel(redis.Channel):
    """Redis without copies of received messages; dead connections and malformed messages do not stop it."""

    QoS = QoS  # type: ignore[assignment]
    Message = Message
    _asked_at = 0.0
    _in_poll: object

    def _brpop_start(self, timeout: float | None = None) -> None:
        self._asked_at = time.monotonic()
        super()._brpop_start(timeout)  # type: ignore[misc]

    def _brpop_read(self, **options: object) -> object:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except (JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            # It would end the worker, and every further one would end the next.
            log.warning("message.malformed", error=str(error))
            raise Empty from None

    def hang_up(self) -> None:
        """Cut the connection when Redis, which answers every second, has not done so for long.

        A connection that leads nowhere looks alive for ever, and so does the worker that waits at it. Once it
        is cut Celery sees a lost connection and makes another.
        """
        overdue = time.monotonic() - self._asked_at > self.brpop_timeout + SILENCE_S
        if self._in_poll and overdue and self.qos.can_consume():
            with suppress(AttributeError, OSError):
                self.client.connection._sock.shutdown(socket.SHUT_RDWR)


class Transport(redis.Transport):
    """Kombu's Redis transport for workers."""

    Channel = Channel
    cycle: Any

    def register_with_event_loop(self, connection: object, loop: Any) -> None:
        """Look every second whether Redis still answers."""
        super().register_with_event_loop(connection, loop)
        loop.call_repeatedly(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        for channel in list(self.cycle._channels):
            channel.hang_up()


class Consumer(CeleryConsumer):
    """Sends the events of tasks together, and still serves after a reconnection what it was told to serve."""

    app: Any
    hub: Any
    _flush_events: Callable[[], None]
    _flush_at = 0.0

    def on_send_event_buffered(self) -> None:  # type: ignore[override]
        """Some event waits to be sent."""
        now = time.monotonic()
        if self.hub and now >= self._flush_at:  # A reconnection forgets what was to be called later.
            self._flush_at = now + EVENTS_EVERY_S
            self.hub.call_later(EVENTS_EVERY_S, self._flush_events)

    def add_task_queue(self, queue: str, *args: Any, **options: Any) -> None:  # type: ignore[override]
        """Serve a queue, also one that was cancelled before: Celery would do so until the next connection."""
        super().add_task_queue(queue, *args, **options)
        queues = self.app.amqp.queues
        queues.select_add(queues[queue])
