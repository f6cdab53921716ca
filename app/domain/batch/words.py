"""The closed sets of words and the limits of batch definitions; ``schemas/workflows.ncl`` has the same."""

import re

PROVIDERS = ("upcloud", "aws", "local")
OPERATION_TYPES = ("server_batch", "taskserv_batch")
BACKENDS = ("filesystem", "surrealdb")
DEPENDENCY_TYPES = ("hard", "soft", "optional")
CONDITIONS = ("success", "failure", "finished")
POLICIES = ("rollback", "continue", "fail", "hold")
BACKOFFS = ("exponential", "linear")
RESERVED_IDS = frozenset({"stats", "submit"})  # Paths of the REST interface.
# Members of a batch that are kept with it and have no effect.
KEPT = ("description", "tags", "metadata", "logging", "monitoring", "templates", "provider_agnostic")

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
ID_RULE = "1 to 63 letters, digits, '_', '-' or '.', the first a letter or digit"

LARGEST_DOCUMENT = 4 << 20  # Bytes, in JSON.
MOST_OPERATIONS = 10_000
MOST_EDGES = 100_000
MOST_ITEMS_OF_OPERATION = 10_000
MOST_ITEMS = 50_000
MOST_DEPTH = 32
