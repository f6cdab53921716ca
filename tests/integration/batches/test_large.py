"""Large batches: no transaction stands idle for so long that the server ends it."""

from typing import Any

import pytest
from sqlalchemy import event

from app.domain.batch.definition import parse
from app.services import batches
from app.services.batches import read
from tests.integration.batches.rig import Rig, servers


def test_a_definition_is_learnt_while_no_transaction_is_open(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = rig.submit(servers("web"))
    connections: list[str] = []

    def noted(document: Any) -> Any:
        connections.append(rig.db.engine.pool.status())
        return parse(document)

    idle = rig.db.engine.pool.status()
    monkeypatch.setattr(read, "parse", noted)
    assert batches.progress(rig.ctx, batch)["current_level"] == 0
    assert connections == [idle]


def test_edges_are_stored_a_thousand_at_a_time(rig: Rig) -> None:
    stored: list[int] = []

    def noted(_connection: Any, _cursor: Any, statement: str, rows: Any, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO edge"):
            stored.append(len(rows))

    event.listen(rig.db.engine, "before_cursor_execute", noted)
    rig.submit(*(servers(f"op{n}", needs=[f"op{m}" for m in range(n)]) for n in range(50)))
    assert stored == [1000, 225]
