"""Redis emptied, restarted empty, frozen, out of memory, locked, slow, unreachable, half-open."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any, ClassVar

import psutil
from redis import Redis, RedisError

from tests.chaos.fault import Fault, Injection, Setting, register
from tests.chaos.faults.proxy import CLEAR, Proxy, Weather
from tests.chaos.site import Site
from tests.support.servers import KeyValue

PASSWORD = "changed-overnight"
PAUSE_S = 4.0
LITTLE = 1  # Bytes of memory that Redis may use: it has more already.


def server(store: KeyValue) -> list[psutil.Process]:
    """The processes of a Redis or Valkey server of ours."""
    return [one for one in psutil.Process().children() if str(store.port) in " ".join(one.cmdline())]


def forget(store: KeyValue) -> None:
    """Delete what a stopped server has on its disk."""
    for path in store.folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


class Broker(Fault):
    """Something that is done to Redis."""

    scope = "broker"


@register
class RedisFlushed(Broker):
    """Everything that Redis knows is gone, and it goes on."""

    name, rows = "redis-flushed", ("RF6", "DF4", "AF3", "BF4")
    weight = 3.0

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """FLUSHALL."""
        keys = site.redis.dbsize()
        site.redis.flushall()
        return self.injection(f"emptied Redis of {keys} keys")


@register
class RedisRestartedEmpty(Broker):
    """Redis dies and comes back without any memory of what was."""

    name = "redis-restarted-empty"
    rows: ClassVar[tuple[str, ...]] = ("RF6", "DF4", "DF26", "AF3")
    lasts_s = (0.1, 9.0)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """As SHUTDOWN NOSAVE does it, without notice to any client."""
        site.store.kill()
        forget(site.store)
        return self.injection("Redis is gone and will come back empty")

    def heal(self, site: Site) -> None:
        """Start it."""
        site.store.start()


@register
class RedisAway(RedisRestartedEmpty):
    """Redis is away for so long that whatever is accepted meanwhile was never in any queue."""

    name, rows = "redis-away", ("DF6", "RF6")
    lasts_s = (10.0, 20.0)


@register
class RedisRestarted(Broker):
    """Redis dies and comes back with what it had written to its disk."""

    name, rows = "redis-restarted", ("RF6", "DF26")
    lasts_s = (0.0, 2.0)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Kill -9."""
        site.store.kill()
        return self.injection("Redis is killed")

    def heal(self, site: Site) -> None:
        """Start it."""
        site.store.start()


@register
class RedisFrozen(Broker):
    """Redis accepts connections and never answers."""

    name, rows = "redis-frozen", ("RF7", "DF5")
    lasts_s = (2.0, 15.0)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """SIGSTOP."""
        for process in server(site.store):
            process.suspend()
        return self.injection("Redis is frozen")

    def heal(self, site: Site) -> None:
        """SIGCONT."""
        for process in server(site.store):
            process.resume()


@register
class RedisPaused(Broker):
    """Redis keeps all its clients waiting for a while; no client can end that, since none is answered."""

    name, rows = "redis-paused", ("RF7", "DF5")
    lasts_s = (PAUSE_S, PAUSE_S)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """CLIENT PAUSE."""
        site.redis.client_pause(round(PAUSE_S * 1000))
        return self.injection(f"Redis pauses its clients for {PAUSE_S:.0f} s")


@register
class RedisClientsKilled(Broker):
    """Redis closes every connection, those that wait for messages included."""

    name, rows = "redis-clients-killed", ("RF7", "DF5")

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """CLIENT KILL."""
        killed = site.redis.client_kill_filter(_type="normal", skipme=True)
        killed = int(killed) + int(site.redis.client_kill_filter(_type="pubsub", skipme=True))
        return self.injection(f"closed {killed} connections") if killed else None


@register
class RedisFull(Broker):
    """Redis refuses every write: it has no memory left."""

    name, rows = "redis-full", ("RF7", "DF5")
    lasts_s = (1.0, 10.0)

    def __init__(self) -> None:
        self._before = "0"

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Allow it no memory."""
        self._before = str(site.redis.config_get("maxmemory")["maxmemory"])
        site.redis.config_set("maxmemory", LITTLE)
        return self.injection("Redis is out of memory")

    def heal(self, site: Site) -> None:
        """Allow it what it was allowed before."""
        site.redis.config_set("maxmemory", self._before)


@register
class RedisLocked(Broker):
    """An operator has changed the password of Redis."""

    name, rows = "redis-locked", ("RF7", "DF5")
    lasts_s = (1.0, 6.0)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Set a password and close the connections that came before it."""
        with _direct(site) as redis:
            redis.config_set("requirepass", PASSWORD)
            redis.client_kill_filter(_type="normal", skipme=True)
        return self.injection("Redis has another password")

    def heal(self, site: Site) -> None:
        """No password, as before."""
        with _direct(site, PASSWORD) as redis:
            redis.config_set("requirepass", "")


class BadNetwork(Broker):
    """The way to Redis is bad."""

    rows = ("RF7", "DF5")
    needs = Setting(proxied=True)
    weather: ClassVar[Weather]

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Change the weather."""
        proxy = _proxy(site)
        if proxy is None:
            return None
        proxy.set(self.weather)
        if self.weather.refuse:
            proxy.cut()
        return self.injection(f"the way to Redis: {self.weather}")

    def heal(self, site: Site) -> None:
        """A clear sky."""
        proxy = _proxy(site)
        if proxy is not None:
            proxy.set(CLEAR)


@register
class RedisSlow(BadNetwork):
    """Every word to and from Redis takes a while."""

    name = "redis-slow"
    weather = Weather(latency_s=0.2)
    lasts_s = (3.0, 12.0)


@register
class RedisVerySlow(BadNetwork):
    """Slower than the patience of who publishes."""

    name = "redis-very-slow"
    weather = Weather(latency_s=2.0)
    lasts_s = (3.0, 12.0)


@register
class RedisUnreachable(BadNetwork):
    """Connections are cut, and refused from then on."""

    name = "redis-unreachable"
    weather = Weather(refuse=True)
    lasts_s = (1.0, 12.0)


@register
class RedisHalfOpen(BadNetwork):
    """Connections are accepted and lead nowhere; those that were used meanwhile stay dead."""

    name = "redis-half-open"
    weather = Weather(swallow=True)
    lasts_s = (1.0, 12.0)


@register
class RedisPartitioned(BadNetwork):
    """Nothing gets through until the partition heals; then all of it arrives."""

    name = "redis-partitioned"
    weather = Weather(hold=True)
    lasts_s = (1.0, 12.0)


def _proxy(site: Site) -> Proxy | None:
    found: Any = site.proxies.get("redis")
    return found if isinstance(found, Proxy) else None


@contextmanager
def _direct(site: Site, password: str | None = None) -> Iterator[Redis]:
    """A connection that stays, whatever happens to the others."""
    with Redis(port=site.store.port, password=password, socket_timeout=5, decode_responses=True) as redis:
        yield redis
    with suppress(RedisError):
        site.redis.connection_pool.disconnect()
