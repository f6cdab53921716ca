"""Management clusters: known, changed, forgotten, and never opened by the API."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.auth.seal import binding, opener
from app.lab.kube import Kube as Lab
from app.providers.kube import Kube
from app.providers.kubeconfig import cleaned
from app.providers.vms import MachineWish
from app.providers.vms.kubevirt import KubeVirt
from app.record import tables
from app.services import secrets
from app.services.context import AppContext
from tests.contract.managed import (
    KUBECONFIG,
    MACHINE,
    MANAGEMENT,
    TOKEN,
    plant_cluster,
    plant_management,
    plant_vm,
)
from tests.contract.plant import bearer, ids
from tests.support.ports import free_port

PATH = "/v1/management-clusters"
FRA = {"name": "fra", "kubeconfig": KUBECONFIG}


def opened(world: AppContext, management_id: str) -> dict[str, Any]:
    """What is sealed of a management cluster, as a worker would read it."""
    row = world.db.read(lambda tx: tx.row(select(tables.management))) or {}
    bound = binding(tenant_id=world.db.tenant, machine_id=management_id, version=row["access_version"])
    return opener(world.settings).open(row["access"], bound)


def test_a_management_cluster_is_known_from_then_on(client: FlaskClient, world: AppContext) -> None:
    answer = client.post(PATH, json=FRA)
    made = answer.get_json()["data"]
    assert (answer.status_code, made["server"]) == (201, "https://10.0.0.1:6443")
    assert (made["clusterNamespace"], made["machineNamespace"]) == ("kcm-system", "default")
    assert client.get(answer.headers["Location"]).get_json()["data"] == made
    assert opened(world, made["id"]) == {"server": "https://10.0.0.1:6443", "token": TOKEN}


def test_its_kubeconfig_is_shown_nowhere(client: FlaskClient, world: AppContext) -> None:
    made = client.post(PATH, json=FRA).get_json()["data"]
    shown = [client.get(path).get_data(as_text=True) for path in (PATH, f"{PATH}/{made['id']}")]
    kept = world.db.read(lambda tx: [str(tx.rows(select(each))) for each in tables.metadata.tables.values()])
    assert not [text for text in [*shown, *kept] if TOKEN in text]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kubeconfig": "users: [{user: {exec: {command: id}}}]"}, "kubeconfig"),
        ({"name": ""}, "name"),
        ({"clusterNamespace": "Not One"}, "clusterNamespace"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_one_names_the_field(client: FlaskClient, changes: dict[str, Any], field: str) -> None:
    answer = client.post(PATH, json={**FRA, **changes})
    assert answer.status_code == 400
    assert set(answer.get_json()["error"]["details"]["fields"]) == {field}


def test_two_of_a_name_are_409(client: FlaskClient) -> None:
    assert [client.post(PATH, json=FRA).status_code for _ in range(2)] == [201, 409]


def test_names_and_namespaces_change_under_their_version(client: FlaskClient, world: AppContext) -> None:
    plant_management(world)
    one = f"{PATH}/{MANAGEMENT}"
    assert client.patch(one, json={"name": "ams"}, headers={"If-Match": '"1"'}).status_code == 200
    assert client.patch(one, json={"name": "lon"}, headers={"If-Match": '"1"'}).status_code == 412
    assert client.get(one).get_json()["data"]["name"] == "ams"


def test_another_kubeconfig_is_sealed_for_its_version(client: FlaskClient, world: AppContext) -> None:
    made = client.post(PATH, json=FRA).get_json()["data"]
    changed = KUBECONFIG.replace(TOKEN, "another")
    assert client.put(f"{PATH}/{made['id']}/kubeconfig", json={"kubeconfig": changed}).status_code == 204
    assert opened(world, made["id"])["token"] == "another"


@pytest.mark.parametrize(
    ("plant", "namespace"), [(plant_cluster, "clusterNamespace"), (plant_vm, "machineNamespace")]
)
def test_the_namespace_of_what_is_there_changes_by_force_alone(
    client: FlaskClient, world: AppContext, plant: Callable[[AppContext], str], namespace: str
) -> None:
    plant_management(world)
    plant(world)
    one = f"{PATH}/{MANAGEMENT}"
    refused = client.patch(one, json={namespace: "elsewhere"})
    assert refused.status_code == 409
    assert "cannot be moved" in refused.get_json()["error"]["message"]
    same = client.get(one).get_json()["data"][namespace]
    assert client.patch(one, json={namespace: same, "description": "Frankfurt"}).status_code == 200
    forced = client.patch(f"{one}?force=true", json={namespace: "elsewhere"})
    assert forced.get_json()["data"][namespace] == "elsewhere"


def test_a_way_in_that_cannot_be_tried_is_taken_by_force_alone(
    client: FlaskClient, world: AppContext
) -> None:
    plant_management(world)
    known = plant_cluster(world)
    nowhere = KUBECONFIG.replace("10.0.0.1:6443", f"127.0.0.1:{free_port()}")
    path, given = f"{PATH}/{MANAGEMENT}/kubeconfig", {"kubeconfig": nowhere}
    refused = client.put(path, json=given)
    assert (refused.status_code, refused.get_json()["error"]["details"]["missing"]) == (409, [known])
    assert client.put(f"{path}?force=true", json=given).status_code == 204


def test_another_way_in_leads_to_what_is_there_or_is_refused(client: FlaskClient, world: AppContext) -> None:
    with Lab() as lab, Lab() as another:
        kube = Kube(cleaned(lab.kubeconfig()))
        uid = KubeVirt(kube, "default").apply(MachineWish(name="web-1", content=MACHINE)).uid
        kube.close()
        plant_management(world)
        plant_vm(world, uid=uid)
        path = f"{PATH}/{MANAGEMENT}/kubeconfig"
        answers = [client.put(path, json={"kubeconfig": one.kubeconfig()}) for one in (another, lab)]
    assert [answer.status_code for answer in answers] == [409, 204]
    assert "does not lead to 1 of its clusters and machines" in answers[0].get_json()["error"]["message"]


def test_a_new_sealing_key_opens_what_an_old_one_sealed(client: FlaskClient, world: AppContext) -> None:
    made = client.post(PATH, json=FRA).get_json()["data"]
    assert secrets.rotate(world) == 1
    assert opened(world, made["id"])["token"] == TOKEN


def test_one_with_clusters_is_not_forgotten(client: FlaskClient, world: AppContext) -> None:
    plant_management(world)
    plant_cluster(world)
    assert client.delete(f"{PATH}/{MANAGEMENT}").status_code == 409


def test_one_without_is(client: FlaskClient, world: AppContext) -> None:
    plant_management(world)
    assert client.delete(f"{PATH}/{MANAGEMENT}").status_code == 204
    assert ids(client.get(PATH)) == []


@pytest.mark.parametrize("scope", ["servers:write", "runs:write"])
def test_only_an_admin_may_say_where_clusters_are_made(
    guarded: FlaskClient, world: AppContext, scope: str
) -> None:
    headers = bearer(world, "key", scope)
    assert guarded.post(PATH, json=FRA, headers=headers).status_code == 403
