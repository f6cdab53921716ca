"""The names of the database and of Redis cannot be resolved, and then they can: nobody has to start anew."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from app.record.session import Database
from tests.conftest import Databases
from tests.support.servers import KeyValue, absent, new_redis, remove

pytestmark = pytest.mark.postgres
LOCAL = "127.0.0.1 localhost\n"
BOTH = f"{LOCAL}127.0.0.1 database.invalid broker.invalid\n"
# A mount namespace of its own: what this process takes for /etc/hosts and for its resolver are two files.
APART = 'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/resolv.conf && shift 2 && exec "$@"'
# Each line that comes in is a question; what is answered is how the database and the broker were reached.
PROGRAM = """
import sys
from app.config import load
from app.domain.errors import Unavailable
from app.wiring import wire
from redis.exceptions import RedisError

world = wire(load({"DATABASE_URL": sys.argv[1], "REDIS_URL": sys.argv[2]}, state_dir=sys.argv[3]))
asked = ((lambda: world.db.read(lambda tx: tx.now), Unavailable), (world.redis.ping, RedisError))
for _ in sys.stdin:
    told = []
    for ask, refused in asked:
        try:
            told.append("yes" if ask() else "no")
        except refused as error:
            told.append(type(error).__name__)
    print(*told, flush=True)
"""


class Apart:
    """A process with a resolver of its own."""

    def __init__(self, folder: Path, database: str, broker: str) -> None:
        self.hosts, nobody = folder / "hosts", folder / "resolv.conf"
        self.hosts.write_text(LOCAL)
        nobody.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        words = [sys.executable, "-c", PROGRAM, database, broker, str(folder / "state")]
        apart = ["unshare", "--mount", "sh", "-c", APART, "sh", str(self.hosts), str(nobody)]
        self.process = subprocess.Popen(
            [*apart, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self) -> str:
        """How the database and the broker are reached now."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@pytest.fixture
def broker() -> Iterator[KeyValue]:
    """A Redis of its own."""
    server = new_redis()
    server.start()
    yield server
    remove(server)


@pytest.fixture
def apart(databases: object, broker: KeyValue, tmp_path: Path) -> Iterator[Apart]:
    """A process that knows both by names."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        absent("only root may have a resolver of its own")
    made = cast("Databases", databases("postgres"))  # type: ignore[operator]
    url = made.fresh()
    names = url.replace("127.0.0.1", "database.invalid"), broker.url.replace("127.0.0.1", "broker.invalid")
    assert Database(names[0]).url.host == "database.invalid"
    process = Apart(tmp_path, *names)
    yield process
    process.process.kill()
    process.process.communicate()
    made.drop(url)


def test_a_process_goes_on_once_names_can_be_resolved_again(apart: Apart, broker: KeyValue) -> None:
    assert apart.ask() == "Unavailable ConnectionError"
    apart.hosts.write_text(BOTH)
    assert apart.ask() == "yes yes"
    apart.hosts.write_text(LOCAL)
    assert apart.ask() == "yes yes"  # What is open needs no name.
    broker.kill()
    broker.start()
    assert apart.ask() == "yes ConnectionError"
    apart.hosts.write_text(BOTH)
    assert apart.ask() == "yes yes"
