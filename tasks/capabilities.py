"""What steps can do to the world: controllers behind their gates, management clusters, hooks, child runs."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from app.auth import codesecrets
from app.auth.seal import Opener, binding, sealer
from app.auth.secrets import REDACTOR
from app.auth.tokens import issue_hook_token
from app.config import Settings
from app.domain.bmc_address import split
from app.domain.clock import rfc3339
from app.domain.errors import (
    BmcAuthFailed,
    BmcConnectionFailed,
    CredentialMissing,
    Permanent,
    StepError,
    Unavailable,
)
from app.providers import taskservs
from app.providers.bmc import BMC, PowerState, Target, connect, fingerprint
from app.providers.boot import BootService
from app.providers.clusters import Clusters
from app.providers.clusters.k0rdent import K0rdent
from app.providers.compute import Access, Compute
from app.providers.compute import connect as connect_compute
from app.providers.kube import Kube
from app.providers.mirror import Mirror, mirror_of
from app.providers.shells import Shell
from app.providers.shells.local import LocalShell
from app.providers.taskservs import Taskserv
from app.providers.vms import Machines
from app.providers.vms.kubevirt import KubeVirt
from app.record.inventory import gates, managements, servers
from app.record.runs import hooks
from app.record.session import Database
from tasks.clouds import compute_of, shell_of

T = TypeVar("T")
HOLD_MS = 60_000  # A session that is held longer belongs to a dead process.
LOGINS, LOGIN_WINDOW_MS = 3, 600_000  # Refused logins before the controller is left alone, and how long.


class Children(Protocol):
    """Runs that a run starts and follows."""

    def start(
        self, parent: str, run_id: str, type_: str, resource_id: str, given: Mapping[str, object]
    ) -> None:
        """Accept a run under this id, once; it waits in line for its resource, and is undone if it fails."""

    def cancel(self, run_id: str, reason: str) -> None:
        """Ask a run to stop; one that has ended, or is stopping, is left alone."""

    def roll_back(self, batch_id: str) -> bool:
        """See that a run undoes what a batch made that has failed; whether it has ended."""


class Capabilities(Protocol):
    """What a context needs to reach the world."""

    def bmc(self, server_id: str, holder: str) -> "GatedBMC":
        """The controller of a server."""

    def clusters(self, management_id: str) -> Clusters:
        """The clusters of a management cluster."""

    def machines(self, management_id: str) -> Machines:
        """The virtual machines of a management cluster."""

    def kube(self, management_id: str) -> tuple[dict[str, object], Kube]:
        """A management cluster's row, and a client of its API server."""

    def compute(self, provider: str, account: str) -> Compute:
        """The servers of an account of a provider."""

    def shell(self, provider: str, account: str, server: str) -> Shell:
        """A server, for scripts."""

    def taskserv(self, name: str) -> Taskserv:
        """A taskserv by its name."""

    def mirror(self, backend: str) -> Mirror:
        """Where a storage backend of batches keeps copies of checkpoints."""

    @property
    def children(self) -> Children:
        """Child runs."""

    @property
    def boot(self) -> BootService:
        """The boot service."""

    def seal(self, text: str) -> str:
        """Text that may be stored in place of a secret of a code workflow."""

    def unseal(self, text: str) -> str:
        """The secret that was sealed; no log shows it from now on."""

    def open_hook(self, run_id: str, step: str) -> str:
        """A URL that ends a step's wait when it is called."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """The real capabilities of a worker; only it can open sealed credentials."""

    settings: Settings
    db: Database
    opener: Callable[[], Opener]
    children: Children
    connect: Callable[[Target], BMC] = connect

    def mirror(self, backend: str) -> Mirror:
        """Where a storage backend of batches keeps copies of checkpoints."""
        return mirror_of(backend, self.settings.state)

    @property
    def boot(self) -> BootService:
        """The boot service that the settings name."""
        return BootService(self.settings.boot_url)

    def compute(self, provider: str, account: str) -> Compute:
        """The servers of an account of a provider; a cloud's behind the gate of the account."""
        if provider == "local":
            folder = str(self.settings.state / "local")
            return connect_compute(Access(provider=provider, account=account, endpoint=folder))
        return compute_of(self.db, self.opener(), provider, account)

    def shell(self, provider: str, account: str, server: str) -> Shell:
        """A server, for scripts."""
        if provider != "local":
            return shell_of(self.db, self.opener(), provider, account, server)
        return LocalShell(self.settings.state / "local" / account / server / "root")

    def taskserv(self, name: str) -> Taskserv:
        """A taskserv by its name."""
        return taskservs.read(self.settings.taskservs, name)

    def bmc(self, server_id: str, holder: str) -> "GatedBMC":
        """The controller of a server, behind its gate."""
        row = self.db.read(lambda tx: servers.read_server(tx, server_id))
        if row is None or row["credential"] is None:
            raise CredentialMissing(f"Server {server_id} has no credential for its controller")
        row = self.pinned(row)
        return GatedBMC(self.db, server_id, holder, self.connect(self.target(row)))

    def pinned(self, row: dict[str, Any]) -> dict[str, object]:
        """The row with the certificate that its Redfish controller is known by, taken at first sight."""
        if row["protocol"] != "redfish" or row["bmc_fingerprint"] is not None:
            return row
        seen = {"bmc_fingerprint": fingerprint(*split(row["bmc_address"]))}
        self.db.write(lambda tx: servers.change_server(tx, row["id"], seen))
        return {**row, **seen}

    def target(self, row: dict[str, Any]) -> Target:
        """Where a server's controller listens and as whom to log in; the credential is opened here alone."""
        bound = binding(tenant_id=row["tenant_id"], machine_id=row["id"], version=row["credential_version"])
        secret = self.opener().open(row["credential"], bound)
        REDACTOR.learn(secret["password"])
        host, port = split(row["bmc_address"])
        return Target(
            protocol=row["protocol"],
            host=host,
            port=port,
            username=secret["username"],
            password=secret["password"],
            verify=row["bmc_fingerprint"],
            system=row["bmc_system"],
        )

    def clusters(self, management_id: str) -> Clusters:
        """The clusters of a management cluster, as its k0rdent offers them."""
        row = self._management(management_id)
        return K0rdent(Kube(self.access(row)), row["cluster_namespace"])

    def machines(self, management_id: str) -> Machines:
        """The machines of a management cluster, as its KubeVirt offers them."""
        row = self._management(management_id)
        return KubeVirt(Kube(self.access(row)), row["machine_namespace"])

    def kube(self, management_id: str) -> tuple[dict[str, object], Kube]:
        """A management cluster's row, and a client of its API server."""
        row = self._management(management_id)
        return row, Kube(self.access(row))

    def access(self, row: dict[str, Any]) -> dict[str, object]:
        """How to get into a management cluster; it is opened here alone."""
        bound = binding(tenant_id=row["tenant_id"], machine_id=row["id"], version=row["access_version"])
        access = self.opener().open(row["access"], bound)
        REDACTOR.learn(*(access[name] for name in ("token", "key") if name in access))
        return access

    def _management(self, management_id: str) -> dict[str, Any]:
        row = self.db.read(lambda tx: managements.read_management(tx, management_id))
        if row is None or row["access"] is None:
            raise Permanent(f"There is no management cluster {management_id}", nothing_happened=True)
        return row

    def seal(self, text: str) -> str:
        """Sealed to the newest key."""
        return codesecrets.seal(sealer(self.settings), text)

    def unseal(self, text: str) -> str:
        """Opened here alone."""
        secret = codesecrets.unseal(self.opener(), text)
        REDACTOR.learn(secret)
        return secret

    def open_hook(self, run_id: str, step: str) -> str:
        """A fresh token for a step; only its hash is stored."""
        token, digest = issue_hook_token()
        # Each attempt opens another one, since the token of an earlier one is known to nobody here. Any of
        # them ends the wait.
        self.db.write(lambda tx: hooks.create(tx, token_hash=digest, run_id=run_id, step=step))
        return f"{self.settings.url}/v1/hooks/{token}"


class GatedBMC:
    """A controller that is spoken to by one holder at a time and is left alone after refused logins."""

    def __init__(self, db: Database, server_id: str, holder: str, bmc: BMC) -> None:
        self._db, self._server_id, self._holder, self._bmc = db, server_id, holder, bmc

    def identify(self) -> Any:
        """See `app.providers.bmc.BMC.identify`."""
        return self._through(self._bmc.identify)

    def power(self) -> PowerState | None:
        """See `app.providers.bmc.BMC.power`."""
        return self._through(self._bmc.power)

    def ensure_power(self, state: PowerState, *, soft: bool = False, within: float = 30.0) -> None:
        """See `app.providers.bmc.BMC.ensure_power`."""
        self._through(lambda: self._bmc.ensure_power(state, soft=soft, within=within))

    def reset(self) -> None:
        """See `app.providers.bmc.BMC.reset`."""
        self._through(self._bmc.reset)

    def boot_device(self) -> str:
        """See `app.providers.bmc.BMC.boot_device`."""
        return self._through(self._bmc.boot_device)

    def boot_from(self, device: str, *, persistent: bool = False) -> None:
        """See `app.providers.bmc.BMC.boot_from`."""
        self._through(lambda: self._bmc.boot_from(device, persistent=persistent))

    def hardware(self) -> dict[str, Any]:
        """See `app.providers.bmc.BMC.hardware`."""
        return self._through(self._bmc.hardware)

    def _through(self, work: Callable[[], T]) -> T:
        try:
            self._enter()
        except Unavailable as error:
            raise StepError(f"Nothing was sent: {error.message}", nothing_happened=True) from error
        refused = False
        try:
            return work()
        except BmcAuthFailed:
            refused = True
            raise
        finally:
            with suppress(Unavailable):  # What was done stands; the gate opens by itself.
                self._leave(refused)

    def _enter(self) -> None:
        # Controllers lock an account after a few wrong passwords, and with it everybody who knows the right
        # one.
        wait = self._db.read(lambda tx: gates.login_after(tx, self._server_id))
        if wait is not None:
            raise BmcAuthFailed(
                f"The controller of {self._server_id} refused {LOGINS} logins in a row and is left alone "
                f"until {rfc3339(wait)}; set the right credential to try at once",
                reason="login_backoff",
                until=rfc3339(wait),
            )
        if not self._db.write(lambda tx: gates.enter(tx, self._server_id, self._holder, HOLD_MS)):
            raise BmcConnectionFailed(
                f"Another session holds the controller of {self._server_id}",
                nothing_happened=True,
                reason="busy",
            )

    def _leave(self, refused: bool) -> None:
        self._db.write(
            lambda tx: gates.leave(
                tx, self._server_id, self._holder, refused=refused, limit=LOGINS, window_ms=LOGIN_WINDOW_MS
            )
        )
