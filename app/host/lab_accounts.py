"""The accounts of the lab's doubled clouds: known from the first `windlass up --lab` on."""

from functools import partial

from app.auth.keys import Principal
from app.config import Settings
from app.host.programs import lab_cloud_port
from app.lab.clouds.clouds import accounts
from app.record.inventory import accounts as record
from app.services import accounts as service
from app.wiring import wire

OPERATOR = Principal(name="operator", scopes=frozenset({"admin"}))
DEFAULTS = {"ssh_user": "root", "calls_at_once": 8, "calls_a_second": 50}


def register(settings: Settings) -> None:
    """Know the accounts `upcloud` and `aws`; those that are known by these names are left as they are."""
    port = lab_cloud_port(settings)
    world = wire(settings, role="cli")
    try:
        for one in accounts(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"):
            if world.db.read(partial(record.account_named, name=one["name"])) is None:
                service.create(world, OPERATOR, {**DEFAULTS, **one, "ssh_port": port + 2})
    finally:
        world.db.dispose()
