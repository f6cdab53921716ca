"""The secrets that sign webhooks: sealed wherever they are stored, opened by workers alone.

An endpoint has a secret of its own. A callback of one run is signed with the callback secret of the API key
that started the run, or with the secret of this installation when nobody needed a key.
"""

import base64
from collections.abc import Callable
from typing import Any

from app.auth.keyfiles import state_secret
from app.auth.seal import Opener, Sealer, binding
from app.record.service import webhooks
from app.record.session import Tx
from app.services.context import AppContext
from app.webhooks.signing import PREFIX, new_secret

Row = dict[str, Any]
MEMBER = "secret"
LOCAL_FILE = "callback.key"


def fresh(world: AppContext, owner_id: str) -> tuple[str, str]:
    """A new secret for an endpoint or an API key: in clear, to be shown once, and sealed, to be stored."""
    secret = new_secret()
    return secret, sealed(world, owner_id, secret)


def sealed(world: AppContext, owner_id: str, secret: str) -> str:
    """The secret as text that opens for this endpoint or API key alone."""
    return world.sealer.seal({MEMBER: secret}, _bound(world, owner_id))


def local_secret(world: AppContext) -> str:
    """The secret of this installation, which signs the callbacks of runs that were started without a key."""
    return PREFIX + base64.b64encode(state_secret(world.settings, LOCAL_FILE)).decode()


def in_force(tx: Tx, endpoint: Row) -> list[tuple[str, str]]:
    """The sealed secrets that sign for an endpoint now, each with its owner; two during a rotation."""
    if endpoint["key_id"] is not None:
        return [(row["id"], row["callback_secret"]) for row in webhooks.key_secrets(tx, endpoint["key_id"])]
    found = [(endpoint["id"], endpoint["secret"])]
    if endpoint["old_secret"] is not None and endpoint["old_until"] > tx.now:
        found.append((endpoint["id"], endpoint["old_secret"]))
    return found


def opened(world: AppContext, found: list[tuple[str, str]]) -> list[str]:
    """The secrets in clear; raises `SealRefused`, or `SettingsError` where there is no private key."""
    return [str(world.opener.open(text, _bound(world, owner))[MEMBER]) for owner, text in found]


def reseal(world: AppContext, seal: Sealer, open_: Opener) -> int:
    """Seal every signing secret to the newest key; returns how many were sealed anew."""

    def again(owner: str, text: str | None, store: Callable[[Tx, str, str], bool]) -> int:
        if text is None or not seal.needs_reseal(text):
            return 0
        bound = _bound(world, owner)
        new = seal.seal(open_.open(text, bound), bound)
        return int(world.db.write(lambda tx: store(tx, text, new)))

    count = 0
    for row in world.db.read(webhooks.sealed_secrets):
        for column in ("secret", "old_secret"):
            count += again(row["id"], row[column], _in_webhook(row["id"], column))
    for row in world.db.read(webhooks.key_secrets):
        count += again(row["id"], row["callback_secret"], _in_key(row["id"]))
    return count


def _in_webhook(webhook_id: str, column: str) -> Callable[[Tx, str, str], bool]:
    return lambda tx, old, new: webhooks.replace_secret(tx, webhook_id, column, old, new)


def _in_key(key_id: str) -> Callable[[Tx, str, str], bool]:
    return lambda tx, old, new: webhooks.replace_key_secret(tx, key_id, old, new)


def _bound(world: AppContext, owner_id: str) -> str:
    return binding(tenant_id=world.db.tenant, machine_id=owner_id, version=1)
