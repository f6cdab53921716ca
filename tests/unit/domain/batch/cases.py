"""Definitions that every reader of them has to judge alike, by what is wrong with them."""

from copy import deepcopy
from typing import Any

EXAMPLE: dict[str, Any] = {
    "name": "multi_cloud_deployment",
    "version": "1.0.0",
    "storage_backend": "surrealdb",
    "parallel_limit": 5,
    "rollback_enabled": True,
    "operations": [
        {
            "id": "upcloud_servers",
            "type": "server_batch",
            "provider": "upcloud",
            "dependencies": [],
            "server_configs": [
                {"name": "web-01", "plan": "1xCPU-2 GB", "zone": "de-fra1"},
                {"name": "web-02", "plan": "1xCPU-2 GB", "zone": "us-nyc1"},
            ],
        },
        {
            "id": "aws_taskservs",
            "type": "taskserv_batch",
            "provider": "aws",
            "dependencies": ["upcloud_servers"],
            "taskservs": ["kubernetes", "cilium", "containerd"],
        },
    ],
}


def changed(path: str, value: Any = None, *, removed: bool = False) -> dict[str, Any]:
    """The example with one member set or removed; ``path`` is like ``operations.0.provider``."""
    made = deepcopy(EXAMPLE)
    *way, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    holder: Any = made
    for part in way:
        holder = holder[part]
    if removed:
        del holder[last]
    else:
        holder[last] = value
    return made


POOLED: dict[str, Any] = {
    "id": "db",
    "type": "server_batch",
    "provider": "local",
    "server_configs": [
        {
            "name": "db-01",
            "plan": "pool/rack-7",
            "zone": "here",
            "image": {"url": "http://images.example:8080/debian.qcow2", "format": "qcow2"},
        }
    ],
}
FIRST, SECOND = "operations.0", "operations.1"
# What is right: a name, and the definition.
GOOD: dict[str, dict[str, Any]] = {
    "the example": EXAMPLE,
    "one without what has a default": changed("storage_backend", removed=True),
    "a soft dependency": changed(f"{SECOND}.dependencies", [{"id": "upcloud_servers", "type": "soft"}]),
    "a condition": changed(f"{SECOND}.dependencies", [{"id": "upcloud_servers", "condition": "failure"}]),
    "words that are kept": changed("metadata", {"owner": "web"}),
    "a policy": changed(f"{FIRST}.on_failure", "hold"),
    "items one after another": changed(f"{FIRST}.parallel", False),
    "an account": changed(f"{FIRST}.account", "upcloud-test"),
    "targets": changed(f"{SECOND}.targets", ["web-01"]),
    "a server of a pool": changed("operations", [POOLED]),
    "a retry policy": changed("retry_policy", {"max_attempts": 5, "backoff": "linear"}),
    "a strategy": changed("rollback_strategy", {"checkpoint_interval": 1, "preserve_successful": True}),
}
# What is wrong in its form: a name, the definition, and the member that is named.
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no name": (changed("name", removed=True), "name"),
    "a number for a name": (changed("name", 3), "name"),
    "an unknown backend": (changed("storage_backend", "floppy"), "storage_backend"),
    "a limit of zero": (changed("parallel_limit", 0), "parallel_limit"),
    "a limit below zero": (changed("parallel_limit", -2), "parallel_limit"),
    "half an operation at once": (changed("parallel_limit", 2.5), "parallel_limit"),
    "a word for a flag": (changed("rollback_enabled", "yes"), "rollback_enabled"),
    "no operations": (changed("operations", []), "operations"),
    "an unknown member": (changed("paralel_limit", 3), "paralel_limit"),
    "an unknown member of an operation": (
        changed(f"{FIRST}.dependancies", []),
        "operations[0].dependancies",
    ),
    "an unknown member of a server": (
        changed(f"{FIRST}.server_configs.0.size", "big"),
        "operations[0].server_configs[0].size",
    ),
    "an unknown member of a dependency": (
        changed(f"{SECOND}.dependencies", [{"id": "upcloud_servers", "kind": "soft"}]),
        "operations[1].dependencies[0].kind",
    ),
    "an unknown kind of dependency": (
        changed(f"{SECOND}.dependencies", [{"id": "upcloud_servers", "type": "firm"}]),
        "operations[1].dependencies[0].type",
    ),
    "an unknown condition": (
        changed(f"{SECOND}.dependencies", [{"id": "upcloud_servers", "condition": "x > 3"}]),
        "operations[1].dependencies[0].condition",
    ),
    "an id with a blank": (changed(f"{FIRST}.id", "up cloud"), "operations[0].id"),
    "a server without a zone": (
        changed(f"{FIRST}.server_configs.1.zone", removed=True),
        "operations[0].server_configs[1].zone",
    ),
    "an image without an address": (
        changed(f"{FIRST}.server_configs.0.image", {"format": "raw"}),
        "operations[0].server_configs[0].image.url",
    ),
    "an image at a file": (
        changed(f"{FIRST}.server_configs.0.image", {"url": "file:///etc/passwd"}),
        "operations[0].server_configs[0].image.url",
    ),
    "an unknown format of an image": (
        changed(f"{FIRST}.server_configs.0.image", {"url": "http://a/b", "format": "zip"}),
        "operations[0].server_configs[0].image.format",
    ),
    "no servers": (changed(f"{FIRST}.server_configs", []), "operations[0].server_configs"),
    "taskservs where servers are made": (
        changed(f"{FIRST}.taskservs", ["cilium"]),
        "operations[0].taskservs",
    ),
    "an unknown policy": (changed(f"{FIRST}.on_failure", "shrug"), "operations[0].on_failure"),
    "no time": (changed(f"{FIRST}.timeout", 0), "operations[0].timeout"),
    "an unknown back-off": (changed("retry_policy", {"backoff": "square"}), "retry_policy.backoff"),
}
