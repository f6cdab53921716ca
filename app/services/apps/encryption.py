"""The secret of an application, from which a key is derived for each run.

The secret is sealed in the database. The apps API and the command line have the key that opens it, workers do
not.
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

    An earlier secret is overwritten, and payloads encrypted with it become unreadable: callers confirm first.
    """
    text = sealed(world.settings, world.db.tenant, app, secrets.token_bytes(BYTES))
    _store(world, app, text)


def remove(world: AppContext, app: str) -> None:
    """Delete the secret of an application: payloads of later runs are not encrypted."""
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
