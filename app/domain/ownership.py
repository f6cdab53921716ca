"""Who made an object in a Kubernetes cluster: names, labels and annotations from the resource, run and step.

A step that is repeated finds what it made before by the name, and knows by the label that it is its own.
"""

import re

MANAGER = "windlass"  # Our field manager in server-side apply.
RESOURCE = "windlass.dev/resource"  # Label: the id of the cluster or machine that an object stands for.
RUN, STEP = "windlass.dev/run", "windlass.dev/step"  # Annotations: who wrote it last.
MANAGED_BY = "app.kubernetes.io/managed-by"
NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")  # Of clusters and machines.


def object_name(resource_id: str) -> str:
    """The name of an object whose resource was given none: always the same one."""
    return resource_id.replace("_", "-")


def labels(resource_id: str) -> dict[str, str]:
    """The labels of everything that belongs to a resource."""
    return {MANAGED_BY: MANAGER, RESOURCE: resource_id}


def annotations(run_id: str, step: str) -> dict[str, str]:
    """What says which run and step wrote an object."""
    return {RUN: run_id, STEP: step}
