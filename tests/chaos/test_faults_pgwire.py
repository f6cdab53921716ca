"""A connection to PostgreSQL is cut around the one statement that matters."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.chaos.faults.pgwire import Listener
from tests.chaos.faults.proxy import Proxy
from tests.support.servers import Postgres

pytestmark = pytest.mark.postgres
WRITE = "INSERT INTO noted VALUES (%s)"


@pytest.fixture
def listener() -> Listener:
    """What waits for a statement."""
    return Listener()


@pytest.fixture
def link(postgres: Postgres, listener: Listener) -> Iterator[psycopg.Connection]:
    """A connection through a proxy that reads along, and an empty table."""
    postgres.execute("DROP TABLE IF EXISTS noted; CREATE TABLE noted (n int)")
    proxy = Proxy(postgres.port, tap=listener.tap).start()
    with psycopg.connect(postgres.url.replace(str(postgres.port), str(proxy.port))) as made:
        yield made
    proxy.close()


def noted(postgres: Postgres) -> int:
    """How many rows the table has."""
    with psycopg.connect(postgres.url) as direct:
        found = direct.execute("SELECT count(*) FROM noted").fetchone()
    assert found is not None
    return int(found[0])


def test_nothing_is_cut_that_is_not_waited_for(link: psycopg.Connection, postgres: Postgres) -> None:
    for number in range(20):  # Beyond psycopg's threshold for prepared statements.
        link.execute(WRITE, [number])
        link.commit()
    assert noted(postgres) == 20


def test_a_commit_is_done_and_its_answer_lost(
    link: psycopg.Connection, listener: Listener, postgres: Postgres
) -> None:
    link.execute(WRITE, [1])
    listener.await_("commit")
    with pytest.raises(psycopg.OperationalError):
        link.commit()
    assert (noted(postgres), listener.cut, listener.committed) == (1, 1, 1)


def test_a_commit_is_lost_on_its_way(
    link: psycopg.Connection, listener: Listener, postgres: Postgres
) -> None:
    link.execute(WRITE, [1])
    listener.await_("commit", lost="question")
    with pytest.raises(psycopg.OperationalError):
        link.commit()
    assert (noted(postgres), listener.cut, listener.committed) == (0, 1, 0)


@pytest.mark.parametrize("pipelined", [False, True])
def test_a_single_statement_is_committed_and_its_answer_lost(
    link: psycopg.Connection, listener: Listener, postgres: Postgres, pipelined: bool
) -> None:
    link.autocommit = True
    listener.await_("insert into noted", nth=8)  # By then psycopg has prepared it.
    with pytest.raises(psycopg.OperationalError):
        for number in range(20):
            if pipelined:
                with link.pipeline():
                    link.execute(WRITE, [number])
            else:
                link.execute(WRITE, [number])
    assert (noted(postgres), listener.committed) == (8, 1)


def test_a_statement_inside_a_transaction_is_rolled_back(
    link: psycopg.Connection, listener: Listener, postgres: Postgres
) -> None:
    listener.await_("insert")
    with pytest.raises(psycopg.OperationalError):
        link.execute(WRITE, [1])
    assert (noted(postgres), listener.cut, listener.committed) == (0, 1, 0)
