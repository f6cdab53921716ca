"""Messages that come twice, late, in another order, never, again after an hour, or from another client."""

import base64
import json
import pickle
from collections.abc import Iterable
from random import Random
from typing import Any, ClassVar
from uuid import uuid4

from tests.chaos.fault import Fault, Injection, Setting, register
from tests.chaos.faults.courier import FAIR, Courier, Treatment, release
from tests.chaos.faults.proxy import Proxy
from tests.chaos.faults.waiting import within
from tests.chaos.site import Site

QUEUES = ("default", "bmc")
SEEN_S = 2.0  # How long a strike waits until it has met a message.
REPLAYED = 200
_COURIERS: dict[int, Courier] = {}  # By the port of the proxy.


def courier(site: Site) -> Courier | None:
    """Who carries the messages of a site, from the first question on; None when no proxy is in the way."""
    proxy: Any = site.proxies.get("redis")
    if not isinstance(proxy, Proxy):
        return None
    if proxy.port not in _COURIERS:
        _COURIERS[proxy.port] = Courier(Random(proxy.port))
        proxy.watch(_COURIERS[proxy.port].tap)
    return _COURIERS[proxy.port]


class Carried(Fault):
    """The courier treats messages badly for a while."""

    rows = ("RF13", "DF7")
    scope = "broker"
    lasts_s = (3.0, 15.0)
    needs = Setting(proxied=True)
    treatment: ClassVar[Treatment]

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """From now on; counts once a message was really treated."""
        carrier = courier(site)
        if carrier is None:
            return None
        before, carrier.rng = carrier.touched, rng
        carrier.treatment = self.treatment
        if not within(SEEN_S, lambda: carrier.touched > before):
            self.heal(site)
            return None
        return self.injection(f"messages: {self.treatment}")

    def heal(self, site: Site) -> None:
        """What was put aside comes now, in another order."""
        carrier = courier(site)
        if carrier is not None:
            carrier.treatment = FAIR
            release(site.redis, carrier.rng)


@register
class MessagesDoubled(Carried):
    """Every message comes two to five times."""

    name = "messages-doubled"
    treatment = Treatment(doubled=1.0)


@register
class MessagesShuffled(Carried):
    """Half of the messages are overtaken by the others, and come in another order."""

    name = "messages-shuffled"
    treatment = Treatment(aside=0.5, doubled=0.1)
    lasts_s = (0.5, 2.0)


@register
class MessagesLate(Carried):
    """Some messages come up to a minute late, when others have been sent in their place."""

    name = "messages-late"
    treatment = Treatment(aside=0.3)
    lasts_s = (10.0, 60.0)


@register
class MessagesLost(Carried):
    """One message of ten never arrives."""

    name = "messages-lost"
    treatment = Treatment(lost=0.1)


@register
class MessagesReplayed(Fault):
    """Messages that were handled long ago come again."""

    name, rows = "messages-replayed", ("RF13", "DF7")
    scope = "broker"
    needs = Setting(proxied=True)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Push a choice of what was captured since the first strike; the first one only begins to listen."""
        carrier = courier(site)
        old = list(carrier.captured) if carrier is not None else []
        if not old:
            return None
        chosen = [rng.choice(old) for _ in range(min(REPLAYED, len(old)))]
        for queue, message in chosen:
            site.redis.lpush(queue.decode(), message.decode())
        return self.injection(f"replayed {len(chosen)} of {len(old)} old messages")


@register
class MessagesForged(Fault):
    """Messages that the service has not sent: unknown, malformed, wrong."""

    name, rows = "messages-forged", ("RF20", "DF7")
    scope = "broker"

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """One of each into each queue."""
        forged = list(forgeries())
        rng.shuffle(forged)
        for queue, message in forged:
            site.redis.lpush(f"{site.settings.redis_prefix}{queue}", message)
        return self.injection(f"forged {len(forged)} messages")


def forgeries() -> Iterable[tuple[str, str]]:
    """Queue and message of everything that another client may send."""
    unknown = "run_00000000000000000000000000"
    for queue in QUEUES:
        yield queue, envelope(queue, "windlass.link", [unknown, "forward", "one", 1])
        yield queue, envelope(queue, "windlass.link", [unknown, "webhook", "deliver", 0])
        yield queue, envelope(queue, "windlass.deliver", [unknown, 0])
        yield queue, envelope(queue, "windlass.wake_up", [queue])
        yield queue, envelope(queue, "windlass.wake_up", [{"queue": 1}])
        yield queue, envelope(queue, "windlass.link", [unknown, "sideways", "one", -1])
        yield queue, envelope(queue, "windlass.link", [{"run": 1}, None, [], "many"])
        yield queue, envelope(queue, "windlass.link", [])
        yield queue, envelope(queue, "windlass.on_error", ["run_x.forward.one.1"], {"run_id": unknown})
        yield queue, envelope(queue, "windlass.link_v9", [unknown, "forward", "one", 1])
        yield queue, envelope(queue, "os.system", ["true"])
        yield queue, envelope(queue, "windlass.link", [unknown, "forward", "one", 1], body="{not json")
        yield queue, _pickled(queue)
        yield queue, json.dumps({"body": "", "properties": {}})
        yield queue, json.dumps({"properties": {"delivery_tag": uuid4().hex, "delivery_info": {}}})
        yield queue, json.dumps({"body": "no base64", "properties": {"body_encoding": "base64"}})
        yield queue, "{}"
        yield queue, "no JSON at all"
        yield queue, "[]"


def envelope(
    queue: str, task: str, args: list[Any], kwargs: dict[str, Any] | None = None, body: str | None = None
) -> str:
    """A Celery message as Kombu keeps it in a list."""
    tag, task_id = uuid4().hex, uuid4().hex
    text = json.dumps(
        [args, kwargs or {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    )
    return json.dumps(
        {
            "body": base64.b64encode((body or text).encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {"lang": "py", "task": task, "id": task_id, "root_id": task_id, "group": None},
            "properties": {
                "correlation_id": task_id,
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": tag,
            },
        }
    )


def _pickled(queue: str) -> str:
    message = json.loads(envelope(queue, "windlass.link", []))
    message["content-type"], message["content-encoding"] = "application/x-python-serialize", "binary"
    message["body"] = base64.b64encode(pickle.dumps([["x"], {}, {}])).decode()
    return json.dumps(message)
