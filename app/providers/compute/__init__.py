"""The compute capability: create, find and remove the servers of one cloud account.

Drivers: Amazon EC2 (`aws`), UpCloud (`upcloud`), sandboxes on this host (`local`), and a simulation in
memory (`memory`). One behaviour suite runs on all of them (tests/integration/compute). Every failure is a
`CloudError` of `app.domain.errors`; its ``nothing_happened`` is true only when it is certain that the order
had no effect. After any other failure the machine may be there, and the caller has to look.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, cast

from app.domain.errors import CloudRefused
from app.providers.compute.values import (
    BATCH_LABEL,
    ITEM_LABEL,
    Access,
    Machine,
    Plan,
    Price,
    Spec,
    State,
    Whoami,
    plan_name,
)

__all__ = [
    "BATCH_LABEL",
    "DRIVERS",
    "ITEM_LABEL",
    "Access",
    "Compute",
    "Machine",
    "Plan",
    "Price",
    "Spec",
    "State",
    "Whoami",
    "connect",
    "plan_name",
]


class Compute(Protocol):
    """The servers of one account; every call sends few requests and never waits for a state.

    Every call may raise `CloudUnreachable` (no answer, or one that makes no sense), `CloudAuthFailed`,
    `CloudThrottled` (left alone for ``retry_after_ms``) or `CloudRefused`.
    """

    @property
    def access(self) -> Access:
        """The account, and its own names for plans and zones."""

    @property
    def lists_late(self) -> bool:
        """Whether `find` may miss a new machine for a while, so that it must be called repeatedly."""

    def whoami(self) -> Whoami:
        """The identity that the credentials have, and the difference of the clocks."""

    def plans(self) -> list[Plan]:
        """The available plans, by name."""

    def zones(self) -> list[str]:
        """The available zones, by name."""

    def prices(self) -> list[Price]:
        """What a plan costs an hour; empty where the provider does not say."""

    def find(
        self, *, token: str | None = None, name: str | None = None, batch: str | None = None
    ) -> list[Machine]:
        """The machines that match all arguments given, oldest first, without removed ones.

        A token may have several machines, after a repeated order. Names are not unique in a cloud.
        """

    def create(self, spec: Spec, token: str) -> Machine:
        """Order a machine with this token; it is still being created when this returns.

        Raises `CloudNoCapacity`, `CloudQuotaExceeded`, or `CloudRefused` for what the cloud will never make.
        A repetition with the same token may make a second machine: `find` comes first. Where the provider
        keeps tokens it answers the first machine, and refuses the token of a machine that was removed.
        """

    def look(self, id_: str) -> Machine | None:
        """The machine as it is now; None when it is gone, or was never there."""

    def remove(self, id_: str) -> bool:
        """Advance the removal of a machine with its disks; True once it is gone. Call it until then."""


class Driver(Protocol):
    """What makes a `Compute` of an access."""

    def __call__(self, access: Access) -> Compute: ...


# By name and not by import: a driver loads a large client, which only the worker that uses it pays for.
DRIVERS: Mapping[str, str] = {
    "aws": "app.providers.compute.aws:AwsCompute",
    "local": "app.providers.compute.local:LocalCompute",
    "upcloud": "app.providers.compute.upcloud:UpcloudCompute",
}


def connect(access: Access) -> Compute:
    """The driver of the access's provider; nothing is sent yet."""
    if access.provider not in DRIVERS:
        raise CloudRefused(f"There is no provider {access.provider}; there are {', '.join(DRIVERS)}")
    module, _, name = DRIVERS[access.provider].partition(":")
    return cast(Driver, getattr(import_module(module), name))(access)
