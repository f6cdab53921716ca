"""The service for one test: runs are driven in this process, webhooks are delivered when a test says so."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Table, select, update

from app.auth.keys import LOCAL, Principal
from app.engine.transitions.journal import Message
from app.record.service import deliveries
from app.record.session import Tx
from app.record.tables import delivery, delivery_attempt, webhook
from app.services import deliver as service
from app.services import runs, webhooks
from app.services.context import AppContext
from app.webhooks.send import Attempt
from chains.messages import DeliveryMessage
from tests.support.driver import Driver

Row = dict[str, Any]


@dataclass
class RigDriver(Driver):
    """The engine of one test, which keeps the messages of deliveries."""

    to_deliver: deque[DeliveryMessage] = field(default_factory=deque)

    def publish(self, messages: Iterable[Message]) -> None:
        """Keep what is published for the test to deliver."""
        kept = list(messages)
        super().publish(kept)
        self.to_deliver.extend(hint for hint in kept if isinstance(hint, DeliveryMessage))


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A webhook with the secret that its creation showed."""

    id: str
    secret: str


@dataclass(frozen=True, kw_only=True)
class Rig:
    """One service, without broker and workers: the test is both."""

    world: AppContext
    driver: RigDriver

    def endpoint(self, url: str, *events: str, **more: Any) -> Endpoint:
        """Make an endpoint for these events, or for all."""
        row, secret = webhooks.create(self.world, LOCAL, {"url": url, "events": events or ("*",), **more})
        return Endpoint(id=row["id"], secret=secret)

    def start(self, type_: str = "probe.line", principal: Principal = LOCAL, **order: Any) -> str:
        """Ask for a run, as a door does; its id."""
        return str(runs.start(self.world, principal, runs.Order(type=type_, **order)).run["id"])

    def ran(self, type_: str = "probe.line", principal: Principal = LOCAL, **order: Any) -> str:
        """A run that has ended, or waits for an operator."""
        run_id = self.start(type_, principal, **order)
        self.driver.finish(run_id)
        return run_id

    def deliver(self) -> list[str]:
        """Make the deliveries that were published, as workers do; how each ended."""
        ends = []
        while self.driver.to_deliver:
            message = self.driver.to_deliver.popleft()
            ends.append(service.deliver(self.world, message.delivery_id, message.fence))
        return ends

    def deliver_until_quiet(self) -> list[str]:
        """Deliver through the whole schedule; how each attempt ended."""
        ends = self.deliver()
        while self.rows(delivery, delivery.c.status == "pending"):
            self.come_due()
            ends += self.deliver()
        return ends

    def come_due(self) -> None:
        """Let the next moment of every delivery come, and publish it as the reconciler does."""
        self.change(delivery.c.status == "pending", next_at=1)
        self.reconcile()

    def reconcile(self) -> None:
        """Publish whatever is due or was lost, as the reconciler does."""
        due = self.world.db.write(lambda tx: deliveries.due_again(tx, 100))
        self.driver.publish([DeliveryMessage(delivery_id=one["id"], fence=one["fence"]) for one in due])

    def claim(self) -> service.Claimed:
        """Claim the next delivery, as a worker that is then silent."""
        message = self.driver.to_deliver.popleft()
        claimed = self.world.db.write(lambda tx: service.claim(tx, message.delivery_id, message.fence))
        assert isinstance(claimed, service.Claimed), claimed
        return claimed

    def settle(self, claimed: service.Claimed, made: Attempt) -> str:
        """Settle what `claim` took on."""
        return self.world.db.write(lambda tx: service.settle(tx, claimed, made))

    def lose_worker(self) -> None:
        """The lease of whatever is being sent has run out."""
        self.change(delivery.c.status == "delivering", lease_until=1)

    def change(self, where: Any, **values: Any) -> None:
        """Change deliveries behind the service's back."""
        mine = delivery.c.tenant_id == self.world.db.tenant
        self.world.db.write(lambda tx: tx.execute(update(delivery).where(mine, where).values(**values)))

    def reopened(self) -> "Rig":
        """The same service in another process, which reads its keys anew."""
        return replace(self, world=replace(self.world))

    def closed(self) -> "Rig":
        """The same service after its operator forbade private addresses again."""
        settings = replace(self.world.settings, webhook_allow="")
        return replace(self, world=replace(self.world, settings=settings))

    def rows(self, table: Table, *where: Any) -> list[Row]:
        """This tenant's rows of a table, deliveries in the order of their events."""
        mine = table.c.tenant_id == self.world.db.tenant
        order = [table.c.created_at, table.c.seq] if table is delivery else list(table.primary_key)
        found: list[Row] = self.read(lambda tx: tx.rows(select(table).where(mine, *where).order_by(*order)))
        return found

    def read(self, work: Callable[[Tx], Any]) -> Any:
        """Read something from the record."""
        return self.world.db.read(work)

    @property
    def deliveries(self) -> list[Row]:
        """Every delivery, in the order of its event."""
        return self.rows(delivery)

    @property
    def delivery(self) -> Row:
        """The only delivery."""
        (only,) = self.deliveries
        return only

    @property
    def attempts(self) -> list[Row]:
        """Every attempt of the only delivery."""
        return self.rows(delivery_attempt, delivery_attempt.c.delivery_id == self.delivery["id"])

    def row(self, webhook_id: str) -> Row:
        """An endpoint as it is stored."""
        (only,) = self.rows(webhook, webhook.c.id == webhook_id)
        return only

    def received_by(self, webhook_id: str) -> list[str]:
        """The events that an endpoint receives, in order."""
        return [row["event"] for row in self.deliveries if row["webhook_id"] == webhook_id]

    def pause_ms(self) -> int:
        """How long until the next attempt of the only delivery."""
        now: int = self.read(lambda tx: tx.now)
        return int(self.delivery["next_at"]) - now


def principal(name: str) -> Principal:
    """Somebody who came with a key of this name."""
    return Principal(name=name, scopes=frozenset({"runs:write", "webhooks"}))


def without(shown: Mapping[str, Any], *names: str) -> Row:
    """An object without some of its members."""
    return {name: value for name, value in shown.items() if name not in names}
