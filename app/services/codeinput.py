"""Arguments of code workflows that are secrets: sealed before they are stored."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from app.auth import codesecrets
from app.engine.code.start import CodeOrder, concealing, secret_places
from app.record.runs import runs
from app.record.service import definitions, schedules
from app.record.session import Tx
from app.services.context import AppContext
from windlass.failures import NotStorable
from windlass.values import SECRET, concealed

Row = Mapping[str, Any]


def sealed(world: AppContext, order: CodeOrder) -> CodeOrder:
    """The order with the arguments sealed that its workflow declares as secrets, bound to its version."""
    known = definitions.look(world.db, order.workflow, order.version)
    if known is None:
        return order
    order, places = replace(order, version=known["version"]), secret_places(known["facts"])
    if not places:
        return order
    args, kwargs = _as_before(order, places, world.db.read(lambda tx: _input_before(tx, order)))
    order = replace(order, args=args, kwargs=kwargs)
    return concealing(order, known["facts"], lambda text: codesecrets.seal(world.sealer, text))


def seal_schedules(tx: Tx, world: AppContext, name: str, version: str) -> None:
    """Seal what schedules keep for a workflow that declares secrets since it was announced."""
    known = definitions.find(tx, name, version)
    newest = definitions.find(tx, name)
    places = secret_places(known["facts"]) if known else {}
    for row in schedules.of_type(tx, name) if places else ():
        bound = row["workflow_version"] or (newest and newest["version"])
        if bound == version and isinstance(row["input"], list):
            with suppress(NotStorable):  # No text: its runs will be refused by the function.
                args, _ = concealed(
                    row["input"], {}, places, lambda text: codesecrets.seal(world.sealer, text)
                )
                schedules.change_schedule(tx, row["id"], {"input": args})


def _input_before(tx: Tx, order: CodeOrder) -> Row:
    """What the run was given that has this order's idempotency key, if there is one."""
    key = f"wf/{order.workflow}/{order.idempotency_key}"
    run_id = runs.run_with_key(tx, key) if order.idempotency_key else None
    found = runs.read_run(tx, run_id) if run_id else None
    return found["input"] if found else {"args": [], "kwargs": {}}


def _as_before(
    order: CodeOrder, places: Mapping[str, int | None], before: Row
) -> tuple[list[Any], dict[str, object]]:
    """The arguments with secrets as the same order had them: sealed anew, a text reads otherwise."""
    args, kwargs = list(order.args), dict(order.kwargs)
    for name, place in places.items():
        if place is not None and place < len(args) and _is_sealed(before["args"][place : place + 1]):
            args[place] = before["args"][place]
        if name in kwargs and _is_sealed([before["kwargs"].get(name)]):
            kwargs[name] = before["kwargs"][name]
    return args, kwargs


def _is_sealed(found: Sequence[object]) -> bool:
    return bool(found) and isinstance(found[0], dict) and found[0].keys() == {SECRET}
