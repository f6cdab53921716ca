"""The provider account of each operation, and the order of its taskservs."""

from collections.abc import Callable, Sequence
from functools import partial

from app.domain.batch.definition import BatchDefinition
from app.domain.batch.invalid import InvalidDefinition
from app.domain.batch.operation import Operation
from app.engine.batches.compose import Accounts, Composed, compose
from app.providers import taskservs
from app.providers.taskservs import UnknownTaskserv
from app.record.inventory import accounts
from app.record.session import Tx
from app.services.batches import pools
from app.services.context import AppContext

DEFAULT = "default"


def accounts_of(ctx: AppContext, definition: BatchDefinition) -> Accounts:
    """The account for each provider and account name of a definition; without a name the provider's only one.

    Local accounts need not exist. Raises `InvalidDefinition` for an unknown account of a cloud.
    """
    named = {(one.provider, one.account) for one in definition.operations}
    asked = named | {(provider, None) for provider, _account in named}
    return {where: ctx.db.read(partial(_meant, where=where, required=where in named)) for where in asked}


def _meant(tx: Tx, where: tuple[str, str | None], required: bool) -> str:
    """The name of the account; with ``required`` raises `InvalidDefinition` when it is unknown."""
    provider, wanted = where
    if provider == "local":
        return wanted or DEFAULT
    there = [row["name"] for row in accounts.accounts_of(tx, provider)]
    if wanted in there:
        return str(wanted)
    if wanted is None and (len(there) == 1 or not required):
        return there[0] if there else DEFAULT
    known = f"known are {', '.join(there)}" if there else "none is known: add one with windlass account add"
    told = f"There is no account {wanted!r} at {provider}" if wanted else f"Name one account at {provider}"
    details = {"provider": provider, "account": wanted, "known": there}
    raise InvalidDefinition("UNKNOWN_ACCOUNT", f"{told}; {known}", details)


def composed(
    ctx: AppContext, definition: BatchDefinition, operations: Sequence[Operation], lineage: str
) -> Composed:
    """The graph of these operations; raises `InvalidDefinition`."""
    ctx.db.read(lambda tx: pools.check(tx, operations))
    return compose(definition, operations, lineage, accounts_of(ctx, definition), _order(ctx))


def _order(ctx: AppContext) -> Callable[[Sequence[str]], Sequence[str]]:
    def in_order(names: Sequence[str]) -> Sequence[str]:
        try:
            return taskservs.in_order(ctx.settings.taskservs, names)
        except UnknownTaskserv as error:
            raise InvalidDefinition(error.code, error.message, {"taskservs": list(names)}) from None

    return in_order
