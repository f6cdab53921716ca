"""In which queue the steps of each type run: what is slow for one kind of work holds up no other."""

import pytest

from chains import catalogue

AMONG_OURSELVES = {
    *("create-record", "allocate-resources", "release-surplus", "release-resources"),
    *("settle", "forget"),
}
MANAGED = sorted(name for name in catalogue.types() if name.startswith(("cluster.", "vm.")))


@pytest.mark.parametrize("name", MANAGED)
def test_what_speaks_to_a_management_cluster_has_a_queue_of_its_own(name: str) -> None:
    workflow = catalogue.lookup(name)
    rows = workflow.plan(workflow.example or {}).rows()

    apart = {row.key for row in rows if row.queue == "kube"}

    assert apart == {row.key for row in rows} - AMONG_OURSELVES
    assert {row.queue for row in rows} <= {"kube", "default"}
