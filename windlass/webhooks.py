"""`client.webhooks`: where events are sent, and what became of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from windlass.decode import body
from windlass.models import Delivery, Webhook
from windlass.pages import Page, one, read_every, read_page
from windlass.session import Session

PATH = "/v1/webhooks"


@dataclass(frozen=True, kw_only=True)
class Webhooks:
    """Everything about webhooks."""

    session: Session

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Webhook]:
        """One page."""
        return read_page(self.session, PATH, Webhook, {"limit": limit, "cursor": cursor})

    def each(self) -> Iterator[Webhook]:
        """All webhooks."""
        return read_every(self.session, PATH, Webhook, {"limit": 100})

    def get(self, webhook_id: str) -> Webhook:
        """One webhook, without its secret."""
        return one(Webhook, self.session.get(_path(webhook_id)))

    def create(
        self, url: str, events: Sequence[str], *, description: str | None = None, active: bool | None = None
    ) -> Webhook:
        """Send events to a URL; patterns such as ``run.*`` are allowed. The answer alone has the secret."""
        order = body(url=url, events=list(events), description=description, active=active)
        return one(Webhook, self.session.post(PATH, order))

    def update(self, /, webhook_id: str, **changes: object) -> Webhook:
        """Change ``url``, ``events``, ``description`` or ``active``."""
        return one(Webhook, self.session.patch(_path(webhook_id), body(**changes)))

    def delete(self, webhook_id: str) -> None:
        """Send nothing more."""
        self.session.delete(_path(webhook_id))

    def rotate(self, webhook_id: str) -> Webhook:
        """A new secret; the old one stays valid for an overlap."""
        return one(Webhook, self.session.post(f"{_path(webhook_id)}/rotate"))

    def test(self, webhook_id: str) -> Delivery:
        """Send a test event."""
        return Delivery.of(self.session.post(f"{_path(webhook_id)}/test").data)

    def deliveries(self, webhook_id: str, *, status: str | None = None) -> Iterator[Delivery]:
        """What was sent or is to be sent, the newest first."""
        path = f"{_path(webhook_id)}/deliveries"
        return read_every(self.session, path, Delivery, {"status": status, "limit": 100})

    def redeliver(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Send one again, also when it was given up."""
        path = f"{_path(webhook_id)}/deliveries/{quote(delivery_id, safe='')}/redeliver"
        return Delivery.of(self.session.post(path).data)


def _path(webhook_id: str) -> str:
    return f"{PATH}/{quote(webhook_id, safe='')}"
