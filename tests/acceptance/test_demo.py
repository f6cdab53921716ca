"""The demo through the public client, against the whole service and the lab."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.demo import batches, clusters, run_demo, servers
from tests.support.stack import Stack
from windlass import Client

pytestmark = pytest.mark.sqlite


@pytest.fixture
def stack(state: Path, tmp_path: Path) -> Iterator[Stack]:
    """The service with its embedded database and Valkey, and the lab."""
    stack = Stack(state, {}, tmp_path / "up.log")
    stack.start()
    yield stack
    stack.close()


@pytest.mark.timeout(1200)
def test_it_ends_well_and_can_be_repeated_on_the_same_state(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_demo(stack.url, stack.lab_url) == 0, capsys.readouterr()
    told = capsys.readouterr().out
    assert "undone  order-image" in told
    assert "Not repeated: validate, reserve" in told
    assert "It runs Kubernetes v1.32" in told and "undone  apply-deployment" in told
    assert told.count("and tells nobody.") == 1
    assert "2 servers of the pool are free again" in told and "Where to look" in told
    assert "It failed at edge: " in told and "each of its servers is gone again" in told

    again: list[tuple[str, str]] = []  # One act on what is known from before; the nightly test plays all.
    monkeypatch.setattr(servers, "ACTS", servers.ACTS[1:2])
    monkeypatch.setattr(batches, "play", lambda _stage: None)
    monkeypatch.setattr(clusters, "play", lambda stage: again.append(clusters.prepared(stage)))
    assert "delete left-behind, known from before" in repeated(stack, capsys)
    with Client(stack.url) as client:
        known = [each.id for each in client.managements.each()], [each.id for each in client.pools.each()]
    assert [([management], [pool]) for management, pool in again] == [known]


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_every_act_can_be_repeated_on_the_same_state(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_demo(stack.url, stack.lab_url) == 0, capsys.readouterr()
    told = repeated(stack, capsys)
    assert "delete left-behind, known from before" in told
    assert told.count("and tells nobody.") == 2
    assert "2 servers of the pool are free again" in told


def repeated(stack: Stack, capsys: pytest.CaptureFixture[str]) -> str:
    """What is printed when it is played once more beside a machine that was left behind; nothing is left."""
    with Client(stack.url) as client:
        client.vms.create(name="left-behind", cpus=1, memory_mb=256, tags=["demo"])
        assert run_demo(stack.url, stack.lab_url) == 0, capsys.readouterr()
        left = {each.state for each in client.clusters.each()} | {each.state for each in client.vms.each()}
    assert left <= {"deleted"}
    return capsys.readouterr().out


def test_a_lab_that_does_not_answer_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"

        assert run_demo(nobody, nobody) == 1

    assert f"the lab at {nobody} does not answer" in capsys.readouterr().out.replace("\n", " ")
