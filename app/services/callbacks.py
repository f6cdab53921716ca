"""The callback of one run: an endpoint that gets only events of this run (contracts/runs.rst#webhooks)."""

import socket

from app.auth.keys import Principal
from app.domain.errors import ValidationFailed
from app.domain.events import EventType
from app.domain.ids import new_id
from app.record.service import webhooks
from app.record.session import Tx
from app.services import signing_secrets
from app.services.context import AppContext
from app.webhooks.guard import Allow, judge

EVENTS = (
    *(EventType.RUN_STARTED, EventType.RUN_HELD, EventType.RUN_BLOCKED, EventType.RUN_NEEDS_OPERATOR),
    *(EventType.RUN_COMPLETED, EventType.RUN_FAILED, EventType.RUN_CANCELLED),
)
PUBLIC = "1.1.1.1"


def check(world: AppContext, url: str) -> None:
    """Raise `ValidationFailed` on ``callbackUrl`` when it can never be called.

    No name is looked up: a request shall not wait for a resolver. Each delivery judges the addresses.
    """
    try:
        judge(url, Allow.of(world.settings), _spelled_out)
    except ValidationFailed as error:
        raise ValidationFailed.of("callbackUrl", error.details["fields"]["url"]) from error


def attach(tx: Tx, world: AppContext, principal: Principal, run_id: str, url: str) -> None:
    """Give a run its callback, in the transaction that accepts the run and before its first event.

    The same run gets it once; `check` has judged the URL where somebody gave it.
    """
    if webhooks.callback_of(tx, run_id) is not None:
        return
    webhook_id = new_id("whk")
    key_id = webhooks.key_that_signs(tx, principal.name)
    own = None
    if key_id is None:
        own = signing_secrets.sealed(world, webhook_id, signing_secrets.local_secret(world))
    values = {"id": webhook_id, "url": url, "events": list(EVENTS), "active": True, "run_id": run_id}
    webhooks.insert_webhook(tx, {**values, "key_id": key_id, "secret": own}, EVENTS)


def detach(tx: Tx, run_id: str) -> None:
    """Take back the callback of a run that was not accepted after all."""
    found = webhooks.callback_of(tx, run_id)
    if found is not None:
        webhooks.delete_webhook(tx, found["id"])


def _spelled_out(host: str, port: int) -> list[str]:
    """The address that a numeric host spells; a name stands for a public one until it is called."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return [PUBLIC]
    return [str(one[4][0]) for one in found]
