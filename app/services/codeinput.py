"""Arguments of code workflows that are secrets: sealed before they are stored."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.auth import codesecrets
from app.domain.errors import ValidationFailed
from app.engine.code.start import CodeOrder
from app.record import definitions, runs
from app.record.session import Tx
from app.services.world import World

Row = Mapping[str, Any]
SECRET = "$secret"


def sealed(world: World, order: CodeOrder) -> CodeOrder:
    """The order with the arguments sealed that its workflow declares as secrets."""
    facts = _facts(world, order.workflow, order.version)
    secrets = set(facts.get("secrets", ()))
    if not secrets:
        return order
    before = world.db.read(lambda tx: _input_before(tx, order))
    args, kwargs = list(order.args), dict(order.kwargs)
    for i, place in enumerate(facts["parameters"][: len(args)]):
        if place in secrets:
            args[i] = _seal(world, order.workflow, place, args[i], before["args"][i : i + 1])
    for place in secrets & set(kwargs):
        kwargs[place] = _seal(world, order.workflow, place, kwargs[place], [before["kwargs"].get(place)])
    return replace(order, args=args, kwargs=kwargs)


def _facts(world: World, name: str, version: str | None) -> Row:
    """What is known of the workflow; the same as `start` remembers, so that both speak of one version."""

    def find(tx: Tx) -> Row | None:
        return definitions.find(tx, name, version)

    found = world.db.remembered(f"definition {name}@{version}", find) or world.db.read(find)
    facts: Row = found["facts"] if found else {}
    return facts


def _input_before(tx: Tx, order: CodeOrder) -> Row:
    """What the run was given that has this order's idempotency key, if there is one."""
    key = f"wf/{order.workflow}/{order.idempotency_key}"
    run_id = runs.run_with_key(tx, key) if order.idempotency_key else None
    found = runs.read_run(tx, run_id) if run_id else None
    return found["input"] if found else {"args": [], "kwargs": {}}


def _seal(world: World, workflow: str, place: str, value: Any, before: Sequence[Any]) -> Any:
    # Sealed anew the same text reads otherwise: a repeated order would not be known as the same one.
    if before and isinstance(before[0], dict) and SECRET in before[0]:
        return before[0]
    if not isinstance(value, str):
        raise ValidationFailed.of("input", f"{place} is a secret, which is text")
    return {SECRET: codesecrets.seal(world.sealer, workflow, value)}
