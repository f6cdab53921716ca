"""Runs that are started and stopped by steps of other runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.engine.batches import rollback
from app.engine.messages.publisher import Publisher
from app.engine.transitions import operator_actions
from app.engine.transitions.accept import Order, accept
from app.engine.transitions.journal import Message, journal
from app.record.runs import runs
from app.record.session import Database, Tx


@dataclass(frozen=True)
class ChildRuns:
    """See `tasks.capabilities.Children`."""

    db: Database
    publish: Publisher

    def start(
        self, parent: str, run_id: str, type_: str, resource_id: str, given: Mapping[str, object]
    ) -> None:
        order = Order(
            type=type_,
            input=given,
            resource_id=resource_id,
            on_failure="compensate",  # The parent decides what is kept, and nobody holds a child for it.
            on_conflict="queue",
            parent_run_id=parent,
        )
        self.publish(self.db.write(lambda tx: accept(tx, run_id, order, _actor(tx, parent)).messages))

    def cancel(self, run_id: str, reason: str) -> None:
        def work(tx: Tx) -> list[Message]:
            with journal(tx, run_id) as j:
                if j.run["completed_at"] is None:
                    operator_actions.cancel(j, j.run["triggered_by"], reason=reason)
            return j.messages

        self.publish(self.db.write(work))

    def roll_back(self, batch_id: str) -> bool:
        def work(tx: Tx) -> tuple[bool, list[Message]]:
            return rollback.automatic(tx, batch_id, _actor(tx, batch_id))

        ended, messages = self.db.write(work)
        self.publish(messages)
        return ended


def _actor(tx: Tx, parent: str) -> str:
    found = runs.read_run(tx, parent)
    return str(found["triggered_by"]) if found else "usr_local"
