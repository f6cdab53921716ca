"""One machine is one server: identifiers are claimed, on both databases."""

import threading
from collections.abc import Iterator

import pytest

from app.record.inventory import machines, servers
from app.record.session import Database, Tx
from tests.conftest import Backend

GUID, SERIAL = "guid:4c4c4544", "serial:SN-1"


@pytest.fixture
def db(backend: Backend) -> Iterator[Database]:
    """A database with three servers, two of them asked over Redfish."""
    made = Database(backend.database_url)
    for name, protocol in (("srv_1", "redfish"), ("srv_2", "redfish"), ("srv_3", "ipmi")):
        row = {"id": name, "protocol": protocol, "bmc_address": f"{name}:443", "state": "registering"}
        assert made.write(lambda tx, row=row: servers.insert_server(tx, row))  # type: ignore[misc]
    yield made
    made.dispose()


class Refused(Exception):
    """The machine is another server; the transaction is taken back."""


def claim(db: Database, server_id: str, *identities: str) -> None:
    def work(tx: Tx) -> None:
        if (owner := machines.claim_machine(tx, server_id, identities)) is not None:
            raise Refused(owner)

    db.write(work)


@pytest.mark.parametrize("shared", [GUID, SERIAL])
def test_a_machine_is_the_server_that_claimed_it_first(db: Database, shared: str) -> None:
    claim(db, "srv_1", GUID, SERIAL)
    with pytest.raises(Refused, match="srv_1"):
        claim(db, "srv_2", shared)
    assert db.read(lambda tx: machines.claims_of(tx, "srv_2")) == []


def test_nodes_of_one_chassis_may_share_its_serial_number(db: Database) -> None:
    claim(db, "srv_1", GUID, SERIAL)
    claim(db, "srv_2", "guid:other", SERIAL)
    assert db.read(lambda tx: machines.claims_of(tx, "srv_2")) == ["guid:other"]


def test_between_protocols_the_serial_number_decides(db: Database) -> None:
    claim(db, "srv_1", GUID, SERIAL)
    with pytest.raises(Refused, match="srv_1"):
        claim(db, "srv_3", "guid:other", SERIAL)


def test_a_new_board_takes_the_place_of_the_old_one_alone(db: Database) -> None:
    claim(db, "srv_1", GUID, SERIAL)
    claim(db, "srv_1", "guid:new")
    assert db.read(lambda tx: machines.claims_of(tx, "srv_1")) == ["guid:new", SERIAL]


def test_a_machine_that_left_may_be_another_server(db: Database) -> None:
    claim(db, "srv_1", GUID, SERIAL)
    db.write(lambda tx: machines.release_machine(tx, "srv_1"))
    claim(db, "srv_2", GUID, SERIAL)
    assert db.read(lambda tx: machines.claims_of(tx, "srv_2")) == [GUID, SERIAL]


def test_of_two_that_claim_it_at_once_one_wins(db: Database) -> None:
    won, lost = list[str](), list[str]()

    def one(server_id: str) -> None:
        try:
            claim(db, server_id, GUID, SERIAL)
        except Refused:
            lost.append(server_id)
        else:
            won.append(server_id)

    both = [threading.Thread(target=one, args=(name,)) for name in ("srv_1", "srv_2")]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert (len(won), len(lost)) == (1, 1)
    assert db.read(lambda tx: machines.claims_of(tx, won[0])) == [GUID, SERIAL]


def test_a_controller_has_one_server(db: Database) -> None:
    row = {"id": "srv_9", "protocol": "ipmi", "bmc_address": "srv_1:443", "state": "registering"}
    assert not db.write(lambda tx: servers.insert_server(tx, row))
