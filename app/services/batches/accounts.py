"""Which account of a provider an operation works with, and in which order taskservs come."""

from collections.abc import Callable, Sequence

from app.domain.batch.definition import BatchDefinition
from app.domain.batch.invalid import InvalidDefinition
from app.domain.batch.operation import Operation
from app.engine.batches.compose import Accounts, Composed, compose
from app.providers import taskservs
from app.providers.taskservs import UnknownTaskserv
from app.services.context import AppContext

DEFAULT = "default"


def accounts_of(definition: BatchDefinition) -> Accounts:
    """The account behind each name that a definition gives; without one, the default account."""
    return {(one.provider, one.account): one.account or DEFAULT for one in definition.operations} | {
        (one.provider, None): DEFAULT for one in definition.operations
    }


def composed(
    ctx: AppContext, definition: BatchDefinition, operations: Sequence[Operation], lineage: str
) -> Composed:
    """The graph of these operations; raises `InvalidDefinition`."""
    return compose(definition, operations, lineage, accounts_of(definition), _order(ctx))


def _order(ctx: AppContext) -> Callable[[Sequence[str]], Sequence[str]]:
    def in_order(names: Sequence[str]) -> Sequence[str]:
        try:
            return taskservs.in_order(ctx.settings.taskservs, names)
        except UnknownTaskserv as error:
            raise InvalidDefinition(error.code, error.message, {"taskservs": list(names)}) from None

    return in_order
