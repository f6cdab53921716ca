"""Accounts of clouds as steps use them: opened by workers alone, and asked through the account's gate.

A call that the gate holds back raises `CloudThrottled`: nothing was sent, and no attempt is used up.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from app.auth.seal import Opener, binding
from app.auth.secrets import REDACTOR
from app.domain.errors import CloudThrottled, Permanent, StepError, Unavailable
from app.domain.gate import Limits
from app.domain.ids import new_id
from app.domain.rows.batches import InstanceRow
from app.providers.compute import Access, Compute, Machine, Plan, Price, Spec, Whoami, connect
from app.providers.shells.ssh import SshShell
from app.record.batches.effects import INSTANCES
from app.record.inventory import account_gates, accounts
from app.record.session import Database

T = TypeVar("T")
Row = Mapping[str, Any]
CLOUD_CONFIG = "#cloud-config\ndisable_root: false\nssh_authorized_keys:\n- {key}\n"
HOLD_MS = 60_000  # A call that takes longer belongs to a dead process.


def access_of(row: Row, opener: Opener) -> Access:
    """An account with its credentials in clear; no log shows them from now on."""
    secret: dict[str, str] = {}
    if row["credential"] is not None:
        version = row["credential_version"]
        bound = binding(tenant_id=row["tenant_id"], machine_id=row["id"], version=version)
        secret = opener.open(row["credential"], bound)
    REDACTOR.learn(*secret.values())
    return Access(
        provider=row["provider"],
        account=row["id"],
        endpoint=row["endpoint"] or "",
        region=row["region"] or "",
        credentials=secret,
        zones=row["zones"] or {},
        plans=row["plans"] or {},
        image=row["image"] or "",
    )


def account_of(db: Database, provider: str, account: str) -> dict[str, Any]:
    """The row of an account by its id or name; raises when the provider has none of it any more."""
    row = db.read(lambda tx: accounts.read_account(tx, account) or accounts.account_named(tx, account))
    if row is None or row["provider"] != provider:
        raise Permanent(f"There is no account {account} at {provider}", nothing_happened=True)
    return row


def compute_of(db: Database, opener: Opener, provider: str, account: str) -> "GatedCompute":
    """The servers of an account, behind its gate."""
    row = account_of(db, provider, account)
    limits = Limits(at_once=row["calls_at_once"], a_second=row["calls_a_second"])
    return GatedCompute(db, limits, access_of(row, opener), row["public_key"] or "")


def shell_of(db: Database, opener: Opener, provider: str, account: str, server: str) -> SshShell:
    """A server that a batch made, by SSH with the key of its account; its host key is pinned."""
    row = account_of(db, provider, account)
    machine = db.read(lambda tx: INSTANCES.live(tx, provider=provider, account=account, name=server))
    if machine is None or not machine["address"] or row["ssh_key"] is None:
        raise Permanent(f"There is no way by SSH to {server} at {provider}", nothing_happened=True)
    bound = binding(tenant_id=row["tenant_id"], machine_id=row["id"], version=row["ssh_key_version"])
    known: InstanceRow = machine
    return SshShell(
        host=machine["address"],
        port=row["ssh_port"],
        user=row["ssh_user"],
        key=opener.open(row["ssh_key"], bound)["private"],
        pinned=machine["fingerprint"],
        pin=lambda seen: db.write(lambda tx: INSTANCES.change(tx, known["id"], {"fingerprint": seen})),
    )


class GatedCompute:
    """See `app.providers.compute.Compute`; every call of every worker goes through one gate.

    Machines come back in our words for their plans and zones.
    """

    def __init__(self, db: Database, limits: Limits, access: Access, public_key: str = "") -> None:
        self._db, self._limits, self.access, self._public_key = db, limits, access, public_key
        self._account = access.account
        self._compute: Compute = connect(access)

    @property
    def lists_late(self) -> bool:
        """See `Compute.lists_late`."""
        return self._compute.lists_late

    def whoami(self) -> Whoami:
        """See `Compute.whoami`."""
        return self._through(self._compute.whoami)

    def plans(self) -> list[Plan]:
        """See `Compute.plans`."""
        return self._through(self._compute.plans)

    def zones(self) -> list[str]:
        """See `Compute.zones`."""
        return self._through(self._compute.zones)

    def prices(self) -> list[Price]:
        """See `Compute.prices`."""
        return self._through(self._compute.prices)

    def find(
        self, *, token: str | None = None, name: str | None = None, batch: str | None = None
    ) -> list[Machine]:
        """See `Compute.find`."""
        found = self._through(lambda: self._compute.find(token=token, name=name, batch=batch))
        return [self.access.ours(one) for one in found]

    def create(self, spec: Spec, token: str) -> Machine:
        """See `Compute.create`; the key of the account opens what is made."""
        if self._public_key:
            user_data = spec.user_data or CLOUD_CONFIG.format(key=self._public_key)
            spec = replace(spec, public_keys=(self._public_key,), user_data=user_data)
        return self.access.ours(self._through(lambda: self._compute.create(spec, token)))

    def look(self, id_: str) -> Machine | None:
        """See `Compute.look`."""
        seen = self._through(lambda: self._compute.look(id_))
        return None if seen is None else self.access.ours(seen)

    def remove(self, id_: str) -> bool:
        """See `Compute.remove`."""
        return self._through(lambda: self._compute.remove(id_))

    def _through(self, call: Callable[[], T]) -> T:
        # A slot for each call, not for each run: a run may have several calls under way.
        holder = new_id("cal")
        self._enter(holder)
        try:
            return call()
        except CloudThrottled as error:
            asked = error.retry_after_ms
            with suppress(Unavailable):  # The step waits in any case; the others find out by themselves.
                self._db.write(lambda tx: account_gates.throttled(tx, self._account, self._limits, asked))
            raise
        finally:
            with suppress(Unavailable):  # What was done stands; the slot's time ends by itself.
                self._db.write(lambda tx: account_gates.leave(tx, self._account, holder))

    def _enter(self, holder: str) -> None:
        try:
            wait = self._db.write(
                lambda tx: account_gates.enter(tx, self._account, holder, self._limits, HOLD_MS)
            )
        except Unavailable as error:
            raise StepError(f"Nothing was sent: {error.message}", nothing_happened=True) from error
        # Raised and not slept: no worker waits, and a step that was told to come later loses no attempt
        # (`counts`).
        if wait:
            told = f"The account {self._account} is asked as often as it may be; nothing was sent"
            raise CloudThrottled(told, retry_after_ms=wait, reason="gate")
