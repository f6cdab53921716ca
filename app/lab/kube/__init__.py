"""Simulated Kubernetes management clusters: API servers with the real wire protocol, k0rdent and KubeVirt.

    with Kube() as kube:
        client = ...(kube.kubeconfig())
        kube.server().active_faults.current = Faults(throttle=0.5)
        kube.server().clusters.behave(Behaviour(stuck=True), "my-cluster")
        ...
        assert kube.ledger.read("mgmt/virtualmachines.kubevirt.io/default/vm-1", effect="create") == []

or ``python -m app.lab.kube --port 6443 --kubeconfig FILE``.
"""

from app.lab.kube.behaviour import Behaviour
from app.lab.kube.faults import Faults
from app.lab.kube.kube import TOKEN, Kube
from app.lab.kube.server import ApiServer

__all__ = ["TOKEN", "ApiServer", "Behaviour", "Faults", "Kube"]
