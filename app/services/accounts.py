"""Accounts at providers of servers: known, sealed, checked; nobody is ever shown a credential."""

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from app.auth.keys import Principal
from app.auth.seal import binding
from app.config import SettingsError
from app.domain.clock import rfc3339
from app.domain.errors import (
    Conflict,
    NotFound,
    PreconditionFailed,
    StepError,
    Unavailable,
    ValidationFailed,
)
from app.domain.ids import new_id
from app.providers.compute import Access, Compute, connect
from app.record.inventory import accounts as record
from app.record.session import Tx
from app.services import audit
from app.services.context import AppContext
from tasks.clouds import compute_of

Row = dict[str, Any]
# What each provider wants to know of who asks: one of these sets of members, all texts.
CREDENTIALS: Mapping[str, tuple[frozenset[str], ...]] = {
    "aws": (
        frozenset({"access_key_id", "secret_access_key"}),
        frozenset({"access_key_id", "secret_access_key", "session_token"}),
    ),
    "upcloud": (frozenset({"username", "password"}), frozenset({"token"})),
    "local": (frozenset(),),
}
SAID = ("description", "endpoint", "region", "zones", "plans", "image", "ssh_user", "ssh_port")
CHANGEABLE = ("name", *SAID, "calls_at_once", "calls_a_second")


def create(world: AppContext, principal: Principal, values: Mapping[str, Any]) -> Row:
    """Know one more; its credentials are sealed at once."""
    account_id, provider = new_id("acc"), values["provider"]
    said = {name: values.get(name) for name in CHANGEABLE}
    sealed = _sealed(world, account_id, provider, 1, values.get("credentials") or {})
    keys = {} if provider == "local" else _key_pair(world, account_id)
    row = {"id": account_id, "provider": provider, "version": 1, **said, **sealed, **keys}

    def work(tx: Tx) -> Row:
        _check_name(tx, values["name"], None)
        record.insert_account(tx, row)
        made = known(tx, account_id)
        audit.note(tx, principal, "account.create", account_id, after=made)
        return made

    return world.db.write(work)


def change(
    world: AppContext,
    principal: Principal,
    account_id: str,
    changes: Mapping[str, Any],
    version: int | None,
) -> Row:
    """Change an account; with a version only when nobody else did meanwhile.

    Runs that are under way use other credentials from their next attempt on.
    """

    def work(tx: Tx) -> Row:
        row = known(tx, account_id, lock=True)
        own = row["id"]
        if version not in (None, row["version"]):
            told = f"{own} is at version {row['version']} now"
            raise PreconditionFailed(told, version=row["version"])
        if "name" in changes:
            _check_name(tx, changes["name"], own)
        wanted = {name: changes[name] for name in CHANGEABLE if name in changes}
        if "credentials" in changes:
            number = row["credential_version"] + 1
            wanted |= _sealed(world, own, row["provider"], number, changes["credentials"])
        record.change_account(tx, own, wanted)
        changed = known(tx, own)
        audit.note(tx, principal, "account.change", own, before=row, after=changed)
        return changed

    return world.db.write(work)


def delete(world: AppContext, principal: Principal, account_id: str) -> None:
    """Forget an account; what it has made stays where it is."""

    def work(tx: Tx) -> None:
        row = known(tx, account_id, lock=True)
        record.delete_account(tx, row["id"])
        audit.note(tx, principal, "account.delete", row["id"], before=row)

    world.db.write(work)


def check(world: AppContext, account_id: str) -> Row:
    """Ask the provider who we are, what is on offer, and how far apart the clocks are.

    Raises `Unavailable` where the sealed credentials cannot be opened, or the provider does not answer.
    """
    row = world.db.read(lambda tx: known(tx, account_id))
    try:
        compute = compute_at(world, row["provider"], row["name"])
        who = compute.whoami()
        plans, zones = compute.plans(), compute.zones()
    except SettingsError as error:
        told = "This process cannot open the credentials: only processes with the sealing key can"
        raise Unavailable(told) from error
    except StepError as error:
        return {"ok": False, "error": {"code": error.code, "message": error.message}}
    return {
        "ok": True,
        "name": who.name,
        "clockSkewMs": who.clock_skew_ms,
        "plans": [{"name": one.name, "cpus": one.cpus, "memoryMb": one.memory_mb} for one in plans],
        "zones": zones,
    }


def compute_at(world: AppContext, provider: str, account: str) -> Compute:
    """The servers of an account by its name; raises `SettingsError` where it cannot be opened."""
    if provider == "local":
        return connect(
            Access(provider=provider, account=account, endpoint=str(world.settings.state / "local"))
        )
    return compute_of(world.db, world.opener, provider, account)


def account_object(row: Mapping[str, Any]) -> Row:
    """An account, never its credentials."""
    return {
        "id": row["id"],
        "name": row["name"],
        "provider": row["provider"],
        "description": row["description"],
        "endpoint": row["endpoint"],
        "region": row["region"],
        "zones": row["zones"] or {},
        "plans": row["plans"] or {},
        "image": row["image"],
        "sshUser": row["ssh_user"],
        "sshPort": row["ssh_port"],
        "callsAtOnce": row["calls_at_once"],
        "callsASecond": row["calls_a_second"],
        "credentialsVersion": row["credential_version"],
        "publicKey": row["public_key"],
        "createdAt": rfc3339(row["created_at"]),
        "updatedAt": rfc3339(row["updated_at"]),
    }


def known(tx: Tx, account_id: str, *, lock: bool = False) -> Row:
    """An account by its id or by its name; raises `NotFound`."""
    row = record.read_account(tx, account_id, lock=lock)
    if row is None:
        named = record.account_named(tx, account_id)
        row = record.read_account(tx, named["id"], lock=lock) if named else None
    if row is None:
        raise NotFound(f"There is no account {account_id}")
    return row


def _sealed(world: AppContext, account_id: str, provider: str, version: int, given: Mapping[str, str]) -> Row:
    sets = CREDENTIALS[provider]
    if frozenset(given) not in sets:
        wanted = " or ".join(_members(each) for each in sets)
        raise ValidationFailed.of("credentials", f"An account at {provider} has {wanted}")
    if not given:
        return {"credential": None, "credential_version": version}
    bound = binding(tenant_id=world.db.tenant, machine_id=account_id, version=version)
    return {"credential": world.sealer.seal(given, bound), "credential_version": version}


def _key_pair(world: AppContext, account_id: str) -> Row:
    """A fresh key that opens the servers of the account; nobody but workers ever has the private half."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    bound = binding(tenant_id=world.db.tenant, machine_id=account_id, version=1)
    sealed = world.sealer.seal({"private": private}, bound)
    return {"ssh_key": sealed, "ssh_key_version": 1, "public_key": f"{public} windlass"}


def _members(names: frozenset[str]) -> str:
    camel = {"access_key_id": "accessKeyId", "secret_access_key": "secretAccessKey"}
    camel |= {"session_token": "sessionToken"}
    return " and ".join(sorted(camel.get(name, name) for name in names)) or "no credentials"


def _check_name(tx: Tx, name: str, own: str | None) -> None:
    taken = record.account_named(tx, name)
    if taken is not None and taken["id"] != own:
        raise Conflict(f"Account {taken['id']} is called {name!r} already", account=taken["id"])
