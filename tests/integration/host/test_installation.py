"""A worker host and the database that its Redis serves."""

import subprocess
import sys
from pathlib import Path

import pytest
import redis

from app.config import Settings, environment
from app.engine import installation
from app.record import migrate
from app.record.session import Database
from tests.support.servers import KeyValue


@pytest.fixture
def broker(valkey_server: KeyValue) -> redis.Redis:
    """An empty Valkey."""
    valkey_server.restart_empty()
    return redis.Redis.from_url(valkey_server.url, decode_responses=True)


def database(folder: Path) -> Database:
    """A fresh database in a state folder."""
    folder.mkdir(mode=0o700)
    url = f"sqlite:///{folder / 'windlass.db'}"
    migrate.upgrade(url)
    return Database(url)


def test_a_redis_serves_the_database_that_came_first(tmp_path: Path, broker: redis.Redis) -> None:
    first, second = database(tmp_path / "first"), database(tmp_path / "second")
    assert installation.serves(installation.own(first), broker, "wl:")
    assert not installation.serves(installation.own(second), broker, "wl:")
    assert installation.serves(installation.own(second), broker, "other:")
    assert installation.serves(installation.own(first), broker, "wl:")


def test_a_worker_of_another_folder_says_whose_database_it_has(
    tmp_path: Path, broker: redis.Redis, valkey_server: KeyValue
) -> None:
    assert installation.serves(installation.own(database(tmp_path / "service")), broker, "wl:")
    database(tmp_path / "elsewhere")
    settings = Settings(state_dir=str(tmp_path / "elsewhere"), redis_url=valkey_server.url)

    done = subprocess.run(
        [sys.executable, "-P", "-m", "app.cli", "worker"],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode != 0
    assert f"{tmp_path}/elsewhere/windlass.db is not the one that Redis" in done.stderr
