"""Simulated Kubernetes management clusters: API servers with the real wire protocol and k0rdent and KubeVirt.

    with Kube() as kube:
        kube.server().url, kube.token, kube.kubeconfig()

or ``python -m app.lab.kube --port 6443``. The ledger tells what was created and deleted.
"""

from app.lab.kube.kube import TOKEN, Kube
from app.lab.kube.server import ApiServer

__all__ = ["TOKEN", "ApiServer", "Kube"]
