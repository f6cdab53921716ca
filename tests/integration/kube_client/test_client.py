"""Our client against an API server: what each answer becomes."""

from collections.abc import Iterator

import pytest

from app.domain.errors import (
    KubeAuthFailed,
    KubeConflict,
    KubeRefused,
    KubeUnreachable,
)
from app.lab.certificate import load_or_make
from app.providers.kube import Kube
from app.providers.kubeconfig import cleaned
from tests.support.kube import Management
from tests.support.ports import free_port

MAPS = "/api/v1/namespaces/default/configmaps"
ONE = f"{MAPS}/windlass-test"


def config_map(value: str = "1", **metadata: str) -> dict[str, object]:
    """An object that every cluster knows."""
    named = {"name": "windlass-test", "namespace": "default", **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": {"value": value}}


@pytest.fixture(autouse=True)
def nothing_left(client: Kube) -> Iterator[None]:
    """The object is gone before and after."""
    client.delete(ONE)
    yield
    client.delete(ONE)


def test_an_apply_that_creates_gives_the_object(client: Kube) -> None:
    made = client.apply(ONE, config_map())
    assert made["metadata"]["uid"] and made["data"] == {"value": "1"}


def test_an_apply_that_is_repeated_changes_nothing(client: Kube) -> None:
    first, second = (client.apply(ONE, config_map()) for _ in range(2))
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


def test_an_apply_for_one_object_does_not_change_another_of_its_name(client: Kube) -> None:
    client.apply(ONE, config_map())
    with pytest.raises(KubeConflict):
        client.apply(ONE, config_map("2", uid="00000000-0000-0000-0000-000000000000"))


def test_what_others_have_set_is_taken_over_only_by_force(client: Kube) -> None:
    client.call("POST", MAPS, config_map("theirs"), query={"fieldManager": "somebody"})
    with pytest.raises(KubeConflict):
        client.apply(ONE, config_map("ours"))
    assert client.apply(ONE, config_map("ours"), force=True)["data"] == {"value": "ours"}


def test_what_is_not_there_is_none_and_cannot_be_deleted(client: Kube) -> None:
    assert client.get(ONE) is None
    assert client.delete(ONE) is False


def test_what_is_there_is_deleted(client: Kube) -> None:
    client.apply(ONE, config_map())
    assert client.delete(ONE) is True
    assert client.get(ONE) is None


def test_the_deletion_of_one_object_spares_another_of_its_name(client: Kube) -> None:
    client.apply(ONE, config_map())
    with pytest.raises(KubeConflict):
        client.delete(ONE, uid="00000000-0000-0000-0000-000000000000")
    assert client.get(ONE) is not None


def test_a_list_is_read_to_its_end(client: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.providers.kube.PAGE", 1)
    assert len(list(client.list("/api/v1/namespaces"))) >= 3


@pytest.mark.parametrize("path", [f"{ONE}/explode", "/apis/windlass.test/v1/namespaces/default/wishes/one"])
def test_a_path_that_nobody_serves_now_may_be_served_later(client: Kube, path: str) -> None:
    with pytest.raises(KubeUnreachable, match="no word about the object") as refused:
        client.call("PUT", path, {})
    assert (refused.value.retryable, refused.value.nothing_happened) == (True, True)


def test_an_object_cannot_be_made_in_a_namespace_that_is_not_there(client: Kube) -> None:
    with pytest.raises(KubeRefused, match="nowhere"):
        client.apply(ONE.replace("default", "nowhere"), config_map(namespace="nowhere"))


def test_an_unknown_token_may_be_known_later(management: Management) -> None:
    stranger = Kube({**cleaned(management.kubeconfig), "token": "expired"})
    with pytest.raises(KubeAuthFailed) as refused:
        stranger.get(ONE)
    assert (refused.value.retryable, "expired" in str(refused.value)) == (True, False)


def test_a_server_that_is_not_there_has_done_nothing() -> None:
    client = Kube({"server": f"http://127.0.0.1:{free_port()}", "token": "t"})
    with pytest.raises(KubeUnreachable) as lost:
        client.apply(ONE, config_map())
    assert lost.value.nothing_happened


def test_a_certificate_that_is_refused_is_told_in_one_line(management: Management) -> None:
    stranger, _ = load_or_make(None)
    client = Kube({**cleaned(management.kubeconfig), "ca": stranger.decode()})
    with pytest.raises(KubeUnreachable, match="certificate verify failed") as told:
        client.get(ONE)
    with pytest.raises(KubeUnreachable, match="certificate verify failed"):
        list(client.lines(ONE, query={}, silence_s=1.0))
    assert "\n" not in told.value.message and told.value.nothing_happened
    client.close()
