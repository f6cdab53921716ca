"""Management clusters beside the machines of a lab."""

import httpx

from app.lab import Lab


def test_the_labs_control_speaks_for_its_clusters() -> None:
    with Lab(count=1, clusters=["east", "west"]) as lab:
        shown = httpx.get(f"{lab.control_url}/kube", trust_env=False).json()
        assert [one["url"] for one in shown] == [one["url"] for one in lab.summary()["clusters"]]
        change = {"faults": {"slow": 0.5}}
        httpx.patch(f"{lab.control_url}/kube/west", json=change, trust_env=False).raise_for_status()
        assert [server.ailment.current.slow for server in lab.kube.servers] == [0.0, 0.5]


def test_both_write_into_one_ledger() -> None:
    with Lab(count=1, clusters=["mgmt"]) as lab:
        httpx.patch(
            f"{lab.control_url}/machines/m1", json={"power": "on"}, trust_env=False
        ).raise_for_status()
        lines = httpx.get(f"{lab.control_url}/ledger", trust_env=False).json()
        assert {"kube", "control"} <= {line["protocol"] for line in lines}
        assert httpx.get(
            f"{lab.control_url}/kube/mgmt/ledger", params={"kind": "namespaces"}, trust_env=False
        ).json()
