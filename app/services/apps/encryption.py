"""The secret of an application, from which the DevKit's clients get a key for each run.

It is sealed in the database. Who holds the door's own key opens it: the door and the command line, no worker.
"""

import base64
import secrets

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.auth.appsecrets import opened, sealed
from app.record.apps import applications
from app.record.session import Tx
from app.services.apps.admission import FRESH_S
from app.services.apps.applications import not_found
from app.services.context import AppContext

INFO = b"workflow-encryption"
BYTES = 32


def generate(world: AppContext, app: str) -> None:
    """Give an application a secret; raises `Refused` (404).

    One that it had is lost, and with it what was encrypted: callers ask before.
    """
    text = sealed(world.settings, world.db.tenant, app, secrets.token_bytes(BYTES))
    _store(world, app, text)


def remove(world: AppContext, app: str) -> None:
    """Take the secret of an application away: later runs are not encrypted."""
    _store(world, app, None)


def key_of(world: AppContext, app: str, run_id: str) -> str | None:
    """The key of a run in base64; None for an application without a secret."""
    secret = world.db.remembered(f"apps.secret.{app}", lambda tx: _secret(tx, app), for_s=FRESH_S)
    if secret is None:
        return None
    plain = opened(world.settings, world.db.tenant, app, secret)
    kdf = HKDF(algorithm=SHA256(), length=BYTES, salt=run_id.encode("utf-8", "surrogatepass"), info=INFO)
    return base64.b64encode(kdf.derive(plain)).decode()


def _store(world: AppContext, app: str, secret: str | None) -> None:
    if not world.db.write(lambda tx: applications.change(tx, app, {"secret": secret})):
        raise not_found(app)
    world.db.forget(f"apps.secret.{app}")


def _secret(tx: Tx, app: str) -> str | None:
    row = applications.one(tx, app)
    return None if row is None else row["secret"]
