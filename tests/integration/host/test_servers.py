"""The servers of the tests do what the tests rely on."""

import psycopg
import pytest
import redis

from tests.support.servers import KeyValue, Postgres


@pytest.fixture(params=["redis_server", "valkey_server"])
def store(request: pytest.FixtureRequest) -> KeyValue:
    """Redis and Valkey."""
    server: KeyValue = request.getfixturevalue(request.param)
    return server


def test_a_killed_store_comes_back_with_its_data(store: KeyValue) -> None:
    with redis.Redis.from_url(store.url) as client:
        client.set("kept", "yes")
        store.kill()
        store.start()
        assert client.get("kept") == b"yes"


def test_a_store_restarted_empty_is_empty(store: KeyValue) -> None:
    with redis.Redis.from_url(store.url) as client:
        client.set("lost", "yes")
        store.restart_empty()
        assert client.dbsize() == 0


@pytest.mark.postgres
def test_a_killed_postgres_comes_back_with_its_data(postgres: Postgres) -> None:
    postgres.execute("CREATE DATABASE kept")
    postgres.kill()
    postgres.start()
    with psycopg.connect(postgres.database("kept")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
