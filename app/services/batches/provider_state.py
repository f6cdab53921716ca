"""The state of provider accounts for a dry run: their servers, plans and zones.

An account that cannot be read is left out with a warning; the plan then shows what the inventory has.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.config import SettingsError
from app.domain.errors import StepError
from app.providers.compute import Access, Machine, plan_name
from app.services.accounts import compute_at
from app.services.context import AppContext

READ_S = 15.0  # After this no further account is read, since a request waits for the result.
Where = tuple[str, str]  # Provider and account.
Item = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class AccountState:
    """The servers and the offer of one account."""

    access: Access
    machines: tuple[Machine, ...]
    plans: frozenset[str]  # As the provider names them; empty: any plan is accepted.
    zones: frozenset[str]

    def named(self, name: str) -> Machine | None:
        """The oldest server of this name that is not being removed."""
        return next((one for one in self._staying() if one.name == name), None)

    def of(self, row: Mapping[str, Any]) -> Machine | None:
        """The server of a row of the inventory, by its token if its id was never received."""
        by, wanted = ("id", row["resource_id"]) if row["resource_id"] else ("token", row["token"])
        return next((one for one in self._staying() if getattr(one, by) == wanted), None)

    def _staying(self) -> Iterator[Machine]:
        return (one for one in self.machines if one.state != "removing")

    def missing(self, item: Item) -> str | None:
        """Why the account cannot provide this server; None if it can."""
        plan, zone = self.access.plan(item["plan"]), self.access.zone(item["zone"])
        if self.plans and plan not in self.plans:
            return f"the account offers no plan {item['plan']}"
        if self.zones and zone not in self.zones and zone != self.access.region:
            return f"the account offers no zone {item['zone']}"
        return None


def read(ctx: AppContext, wanted: Iterable[Where]) -> tuple[dict[Where, AccountState], list[str]]:
    """Read the accounts, with three calls for each; those that could not be read have a warning instead."""
    found: dict[Where, AccountState] = {}
    warnings, until = [], time.monotonic() + READ_S
    for provider, account in sorted(set(wanted)):
        try:
            if time.monotonic() > until:
                raise StepError("the others took too long")
            found[provider, account] = _read(ctx, provider, account)
        except (SettingsError, StepError) as error:
            reason = (
                error.message if isinstance(error, StepError) else "this process cannot open its credentials"
            )
            warnings.append(f"{provider}: the account {account} was not asked what is there: {reason}")
    return found, warnings


def _read(ctx: AppContext, provider: str, account: str) -> AccountState:
    compute = compute_at(ctx, provider, account)
    return AccountState(
        access=compute.access,
        machines=tuple(compute.find()),
        plans=frozenset(plan_name(one.name) for one in compute.plans()),
        zones=frozenset(compute.zones()),
    )
