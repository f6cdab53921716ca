"""What every driver of clusters does alike: the driver in memory, and k0rdent on an API server."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.domain.errors import KubeConflict, KubeRefused
from app.domain.ownership import annotations, labels
from app.providers.clusters import Deployment, Wish
from tests.integration.clusters.rigs import CREDENTIAL, NEW, OBJECTS, OLD, RIGS, Rig
from tests.support.servers import until

WISH = Wish(
    name="prod-1",
    template=OLD,
    credential=CREDENTIAL,
    config={"workersNumber": 2, "controlPlaneNumber": 1},
    labels=labels("cls_1"),
    annotations=annotations("run_1", "apply-deployment"),
)


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A management cluster of each kind."""
    with RIGS[request.param]() as made:
        yield made


@pytest.fixture(params=OBJECTS)
def objects(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """The same and, by WINDLASS_TEST_KUBECONFIG, a real one: for facts about objects alone."""
    with OBJECTS[request.param]() as made:
        yield made


def seen(rig: Rig) -> Deployment:
    """The deployment as it is now."""
    found = rig.clusters.find("prod-1")
    assert found is not None
    return found


def ready(rig: Rig) -> Deployment:
    """The deployment once it is what was wished for."""
    until(lambda: seen(rig).ready)
    return seen(rig)


def test_a_template_says_what_it_makes(rig: Rig) -> None:
    template = rig.clusters.template(OLD)
    assert template is not None and template.valid
    assert (template.kubernetes_version or "").startswith("v1.31")
    assert "workersNumber" in template.parameters
    assert rig.clusters.template("nothing-1") is None


def test_a_credential_is_ready_or_not_there(rig: Rig) -> None:
    assert rig.clusters.credential_ready(CREDENTIAL) is True
    assert rig.clusters.credential_ready("nobody") is None


def test_a_deployment_is_made_as_wished_and_bears_its_owner(objects: Rig) -> None:
    made = objects.clusters.apply(WISH)
    assert (made.template, made.config, made.dry_run, made.owner) == (OLD, WISH.config, False, "cls_1")
    assert seen(objects).uid == made.uid


def test_the_same_wish_twice_makes_one(objects: Rig) -> None:
    first, second = objects.clusters.apply(WISH), objects.clusters.apply(WISH)
    assert (first.uid, first.generation) == (second.uid, second.generation)


def test_it_becomes_ready_and_its_kubeconfig_is_somewhere(rig: Rig) -> None:
    rig.clusters.apply(WISH)
    assert ready(rig).available_upgrades == (NEW,)
    access = rig.clusters.access("prod-1")
    assert access is not None and access["secret"] == "prod-1-kubeconfig"


def test_what_is_not_ready_says_why(rig: Rig) -> None:
    rig.break_("never")
    rig.clusters.apply(WISH)
    until(lambda: any("Ready is" in one for one in seen(rig).blockers))
    assert not seen(rig).ready


def test_a_change_is_not_ready_before_it_was_looked_at(rig: Rig) -> None:
    there = ready_one(rig)
    rig.break_("never")
    changed = rig.clusters.apply(replace(WISH, config={"workersNumber": 5}, uid=there.uid))
    assert changed.generation > there.generation and not changed.ready
    assert not seen(rig).ready


def test_a_wish_for_one_deployment_makes_no_other(objects: Rig) -> None:
    with pytest.raises(KubeConflict):
        objects.clusters.apply(replace(WISH, uid="00000000-0000-0000-0000-000000000000"))
    assert objects.clusters.find("prod-1") is None


def test_a_changed_wish_is_another_generation_of_the_same_deployment(objects: Rig) -> None:
    there = objects.clusters.apply(WISH)
    changed = objects.clusters.apply(replace(WISH, config={"workersNumber": 5}, uid=there.uid))
    assert (changed.uid, changed.config) == (there.uid, {"workersNumber": 5})
    assert changed.generation > there.generation and not changed.ready


def test_an_upgrade_goes_along_its_path_and_nowhere_else(rig: Rig) -> None:
    there = ready_one(rig)
    with pytest.raises(KubeRefused):
        rig.clusters.apply(replace(WISH, template="openstack-hosted-cp-1-0-14", uid=there.uid))
    rig.clusters.apply(replace(WISH, template=NEW, uid=there.uid))
    assert (ready(rig).kubernetes_version or "").startswith("v1.32")


def test_a_dry_run_is_checked_and_not_built(rig: Rig) -> None:
    rig.clusters.apply(replace(WISH, dry_run=True))
    until(lambda: seen(rig).checked)
    assert (seen(rig).dry_run, rig.clusters.access("prod-1")) == (True, None)


def test_what_cannot_be_built_is_hopeless(rig: Rig) -> None:
    rig.break_("fails")
    rig.clusters.apply(WISH)
    until(lambda: seen(rig).hopeless is not None)


def test_a_deleted_one_is_gone_and_cannot_be_deleted_again(rig: Rig) -> None:
    there = ready_one(rig)
    assert rig.clusters.delete("prod-1", there.uid) is True
    until(lambda: rig.clusters.find("prod-1") is None)
    assert rig.clusters.delete("prod-1", there.uid) is False


def test_another_one_of_its_name_is_spared(objects: Rig) -> None:
    objects.clusters.apply(WISH)
    with pytest.raises(KubeConflict):
        objects.clusters.delete("prod-1", "00000000-0000-0000-0000-000000000000")
    assert not seen(objects).deleting


def test_what_cannot_go_says_what_holds_it(rig: Rig) -> None:
    there = ready_one(rig)
    rig.break_("stuck")
    rig.clusters.delete("prod-1", there.uid)
    assert seen(rig).deleting
    until(lambda: "WaitingForClusterDeletion" in str(seen(rig).blockers))
    assert any("finalizer" in one for one in seen(rig).blockers)


def ready_one(rig: Rig) -> Deployment:
    """A deployment that is ready."""
    rig.clusters.apply(WISH)
    return ready(rig)
