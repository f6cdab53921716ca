"""`windlass queue`: the queues in Redis, by their true keys."""

import click
import redis

from app.broker import Broker
from app.cli import columns
from app.cli.context import Caller, Noun, pass_caller
from app.config import load
from app.domain.errors import Unavailable
from app.domain.plan import QUEUES


@click.group(cls=Noun)
def queue() -> None:
    """Show the queues in Redis."""


@queue.command("list")
@pass_caller
def list_(caller: Caller) -> None:
    """List queues with their keys and lengths. An empty queue is not a loss: SQL knows what is due."""
    caller.show(lengths(load().broker, load().redis_prefix), columns.QUEUES)


def lengths(broker: Broker, prefix: str) -> list[dict[str, object]]:
    """Key and length of each list under the prefix; raises `Unavailable` when Redis cannot be reached."""
    try:
        with broker.client(decode_responses=True, socket_timeout=5) as store:
            found = store.scan_iter(match=f"{_literal(prefix)}*", count=500, _type="list")
            keys = {*found, *(prefix + name for name in QUEUES)}
            return [
                {"queue": key.removeprefix(prefix), "key": key, "length": store.llen(key)}
                for key in sorted(keys)
            ]
    except redis.RedisError as error:
        raise Unavailable(f"Redis at {broker.place} does not answer: {error}") from error


def _literal(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "*?[]^\\" else letter for letter in text)
