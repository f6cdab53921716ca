"""The servers of one simulated cloud: created, listed, stopped and removed, with delays and faults."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from app.lab.active_faults import ActiveFaults
from app.lab.clouds.faults import Faults
from app.lab.ledger import Ledger, Origin

BOOT_S, STOP_S, REMOVE_S = 0.2, 0.1, 0.1  # How long a server takes to come up, to stop and to go.
FIRST_HOST = 2  # 127.44.0.2 and so on: loopback addresses, which the doubles of SSH listen on.


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server, independent of the API that shows it."""

    id: str
    name: str
    plan: str
    zone: str
    labels: dict[str, str]
    address: str
    created: float  # Seconds since 1970, as all moments here.
    state: str = "pending"  # running, stopping, stopped, removing, gone.
    since: float = 0.0  # When the state began.
    token: str = ""  # ClientToken, where a cloud has one.
    asked: str = ""  # The parameters of the order, to distinguish a repetition from another order.
    user_data: str = ""
    keys: list[str] = field(default_factory=list)
    image: str = ""


NEXT: dict[str, tuple[str, float]] = {
    "pending": ("running", BOOT_S),
    "stopping": ("stopped", STOP_S),
    "removing": ("gone", REMOVE_S),
}


class Cloud:
    """The servers of one cloud; states advance when they are read. Stored in a file when a path is given."""

    def __init__(
        self,
        name: str,
        ledger: Ledger,
        *,
        first: int,
        kept: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name, self.ledger, self.clock = name, ledger, clock
        self.active_faults: ActiveFaults[Faults] = ActiveFaults(Faults())
        self._first, self._kept = first, kept
        self._servers: dict[str, Server] = {}
        if kept is not None and kept.exists():
            self._servers = {one["id"]: Server(**one) for one in json.loads(kept.read_text())}

    @property
    def faults(self) -> Faults:
        """The active faults."""
        return self.active_faults.current

    def known(self) -> list[Server]:
        """All servers, removed ones included, oldest first."""
        for one in list(self._servers.values()):
            self._move(one)
        return sorted(self._servers.values(), key=lambda one: (one.created, one.id))

    def living(self) -> list[Server]:
        """All servers that are not removed."""
        return [one for one in self.known() if one.state != "gone"]

    def listed(self) -> list[Server]:
        """The servers that a list shows; new ones are late with the fault ``late``."""
        until = self.clock() - self.faults.late
        return [one for one in self.living() if one.created <= until or not self.faults.late]

    def one(self, id_: str) -> Server | None:
        """A server in its current state, also a removed one."""
        found = self._servers.get(id_)
        return None if found is None else self._move(found)

    def make(self, ids: Iterable[str], wanted: Server, port: int) -> Server:
        """Create a server; faults may create a second one, or none."""
        now = self.clock()
        made = [replace(wanted, id=id_, created=now, since=now, address=self._address()) for id_ in ids]
        if self.active_faults.applies("lies"):
            return made[0]
        for one in made if self.active_faults.applies("twins") else made[:1]:
            self._keep(replace(one, address=self._address()), "instance.created", port)
        return self._servers[made[0].id]

    def turn(self, server: Server, state: str, port: int) -> None:
        """Begin to stop, to start or to remove a server."""
        effect = "instance.removed" if state in ("removing", "gone") else f"instance.{state}"
        self._keep(replace(server, state=state, since=self.clock()), effect, port)

    def full(self, zone: str, plan: str) -> bool:
        """Whether the zone or plan has no capacity."""
        return bool({zone, plan} & set(self.faults.no_capacity)) and self.active_faults.applies("no_capacity")

    def over_quota(self) -> bool:
        """Whether the account has as many servers as it may."""
        quota = self.faults.quota
        if quota is None or len(self.living()) < quota:
            return False
        self.active_faults.count()
        return True

    def _move(self, server: Server) -> Server:
        following, after = NEXT.get(server.state, ("", 0.0))
        if server.state == "running" and self.faults.dies:
            following, after = "stopped", self.faults.dies
        stuck = self.faults.stuck and server.state in NEXT
        if not following or stuck or self.clock() - server.since < after:
            return server
        return self._keep(replace(server, state=following, since=self.clock()))

    def _keep(self, server: Server, effect: str = "", port: int = 0) -> Server:
        self._servers[server.id] = server
        if effect:
            self.ledger.write(server.id, effect, server.name, Origin(protocol=self.name, port=port or None))
        if self._kept is not None:
            beside = self._kept.with_suffix(".new")
            beside.write_text(json.dumps([asdict(one) for one in self._servers.values()]))
            beside.replace(self._kept)
        return server

    def _address(self) -> str:
        """A loopback address that no living server has."""
        taken = {one.address for one in self._servers.values() if one.state != "gone"}
        hosts = (f"127.44.{self._first}.{host}" for host in range(FIRST_HOST, 255))
        return next((each for each in hosts if each not in taken), f"127.44.{self._first}.254")

    def shown(self, server: Server) -> dict[str, object]:
        """A server as the control API shows it."""
        members = ("id", "name", "state", "plan", "zone", "labels", "address")
        return {member: getattr(server, member) for member in members}
