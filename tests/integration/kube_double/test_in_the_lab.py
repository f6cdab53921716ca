"""Management clusters beside the machines of a lab."""

from app.lab import Lab
from tests.support.plain import http


def test_the_labs_control_speaks_for_its_clusters() -> None:
    with Lab(count=1, clusters=["east", "west"]) as lab:
        shown = http.get(f"{lab.control_url}/kube").json()
        assert [one["url"] for one in shown] == [one["url"] for one in lab.summary()["clusters"]]
        change = {"faults": {"slow": 0.5}}
        http.patch(f"{lab.control_url}/kube/west", json=change).raise_for_status()
        assert [server.active_faults.current.slow for server in lab.kube.servers] == [0.0, 0.5]


def test_both_write_into_one_ledger() -> None:
    with Lab(count=1, clusters=["mgmt"]) as lab:
        http.patch(f"{lab.control_url}/machines/m1", json={"power": "on"}).raise_for_status()
        lines = http.get(f"{lab.control_url}/ledger").json()
        assert {"kube", "control"} <= {line["protocol"] for line in lines}
        assert http.get(f"{lab.control_url}/kube/mgmt/ledger", params={"kind": "namespaces"}).json()
