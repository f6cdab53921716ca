"""The idempotency key of an item's effect: the same for all attempts at one incarnation of it."""

import hashlib


def token(lineage: str, operation: str, item: str, incarnation: int) -> str:
    """32 hexadecimal digits; another incarnation, after a confirmed removal, has another one."""
    origin = "\0".join((lineage, operation, item, str(incarnation)))
    return hashlib.sha256(origin.encode()).hexdigest()[:32]
