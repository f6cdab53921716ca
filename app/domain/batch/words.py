"""The closed sets of words and the limits of batch definitions; ``schemas/workflows.ncl`` has the same."""

import re

PROVIDERS = ("upcloud", "aws", "local")
OPERATION_TYPES = ("server_batch", "taskserv_batch")
BACKENDS = ("filesystem", "surrealdb")
DEPENDENCY_TYPES = ("hard", "soft", "optional")
CONDITIONS = ("success", "failure", "finished")
POLICIES = ("rollback", "continue", "fail", "hold")
BACKOFFS = ("exponential", "linear")
POOL = "pool/"  # A plan that begins so is a server of a pool of this installation, at the provider local.
CHECKSUMS = ("md5", "sha256", "sha512", "auto")  # As server.provision takes them, as are the formats.
IMAGE_FORMATS = ("raw", "qcow2", "vdi", "vmdk", "live-iso")
RESERVED_IDS = frozenset({"stats", "submit"})  # Paths of the REST interface.
# Members of a batch that are kept with it and have no effect.
KEPT = ("description", "tags", "metadata", "logging", "monitoring", "templates", "provider_agnostic")

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
URL = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(:\d{1,5})?(/\S*)?")
URL_RULE = "an address that begins with http:// or https:// and names a host"
ID_RULE = "1 to 63 letters, digits, '_', '-' or '.', the first a letter or digit"

LARGEST_DOCUMENT = 4 << 20  # Bytes, in JSON.
MOST_OPERATIONS = 10_000
MOST_EDGES = 100_000
MOST_ITEMS_OF_OPERATION = 10_000
MOST_ITEMS = 50_000
MOST_DEPTH = 32


def pool_of(plan: str) -> str | None:
    """The name or id of the pool whose server a plan asks for; None for any other plan."""
    return plan.removeprefix(POOL) if plan.startswith(POOL) else None
