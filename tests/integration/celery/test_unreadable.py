"""Messages that are none, in the queues of workers: they are dropped, and the worker goes on."""

from redis import Redis

from tests.chaos.faults.messages import forgeries
from tests.integration.celery.workers import Publisher, Worker
from tests.support.servers import KeyValue, until

NONSENSE = (
    b"",
    b"not json",
    b"\xff\xfe",
    b"null",
    b"[]",
    b"7",
    b"{}",
    b'{"body": 1, "properties": {}}',
    b'{"properties": {"delivery_tag": "x"}}',
    b'{"properties": {"delivery_tag": "x", "delivery_info": {}}, "headers": {}, "body": "?"}',
    b"[" * 100_000,
)


def test_a_worker_drops_what_it_cannot_read_and_takes_the_next_message(
    broker: KeyValue, own_worker: Worker
) -> None:
    prefix = own_worker.settings.redis_prefix
    with Redis.from_url(broker.url) as client:
        client.lpush(f"{prefix}default", *NONSENSE)
        for queue, forged in forgeries():
            client.lpush(f"{prefix}{queue}", forged)
    Publisher(own_worker.settings).send("first", run="run_after")
    until(lambda: "run_after" in own_worker.log or not own_worker.lives, 20, own_worker.log)
    assert own_worker.lives, own_worker.log
