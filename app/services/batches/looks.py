"""What a dry run finds at the providers: the servers of each account, and what it offers.

An account that cannot be asked is left out, and a warning says so; the plan tells what the inventory knows.
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

LOOK_S = 15.0  # After this no further account is asked: a request waits for the answer.
Where = tuple[str, str]  # Provider and account.
Item = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One account as it was found."""

    access: Access
    machines: tuple[Machine, ...]
    plans: frozenset[str]  # In the provider's words; empty: any will do.
    zones: frozenset[str]

    def named(self, name: str) -> Machine | None:
        """The oldest server of this name that is not on its way out."""
        return next((one for one in self._staying() if one.name == name), None)

    def of(self, row: Mapping[str, Any]) -> Machine | None:
        """The server behind a row of the inventory, by its token where its id never came."""
        by, wanted = ("id", row["resource_id"]) if row["resource_id"] else ("token", row["token"])
        return next((one for one in self._staying() if getattr(one, by) == wanted), None)

    def _staying(self) -> Iterator[Machine]:
        return (one for one in self.machines if one.state != "removing")

    def missing(self, item: Item) -> str | None:
        """Why the account cannot make this server at all."""
        plan, zone = self.access.plan(item["plan"]), self.access.zone(item["zone"])
        if self.plans and plan not in self.plans:
            return f"the account offers no plan {item['plan']}"
        if self.zones and zone not in self.zones and zone != self.access.region:
            return f"the account offers no zone {item['zone']}"
        return None


def look(ctx: AppContext, wanted: Iterable[Where]) -> tuple[dict[Where, Seen], list[str]]:
    """The accounts that could be asked, with three calls each, and a warning for each of the others."""
    found: dict[Where, Seen] = {}
    warnings, until = [], time.monotonic() + LOOK_S
    for provider, account in sorted(set(wanted)):
        try:
            if time.monotonic() > until:
                raise StepError("the others took too long")
            found[provider, account] = _asked(ctx, provider, account)
        except (SettingsError, StepError) as error:
            told = (
                error.message if isinstance(error, StepError) else "this process cannot open its credentials"
            )
            warnings.append(f"{provider}: the account {account} was not asked what is there: {told}")
    return found, warnings


def _asked(ctx: AppContext, provider: str, account: str) -> Seen:
    compute = compute_at(ctx, provider, account)
    return Seen(
        access=compute.access,
        machines=tuple(compute.find()),
        plans=frozenset(plan_name(one.name) for one in compute.plans()),
        zones=frozenset(compute.zones()),
    )
