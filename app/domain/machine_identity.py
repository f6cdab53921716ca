"""Who a machine is, whatever its controller's address: by the identifiers that its maker gave it.

Makers leave identifiers empty or set all machines of a model to the same filler; those say nothing.
"""

import re
import uuid
from collections.abc import Iterable

# Serial numbers, without case, blanks and marks, that many machines bear.
_FILLERS = frozenset(
    {
        *("", "none", "null", "na", "unknown", "unspecified", "notspecified", "notavailable"),
        *("notapplicable", "default", "defaultstring", "tobefilledbyoem", "systemserialnumber"),
        *("chassisserialnumber", "serialnumber", "invalid", "empty", "oem", "sn", "test"),
        *("0123456789", "1234567890", "123456789", "12345678", "1234567"),
    }
)
# GUIDs that firmware vendors ship as their examples.
_COMMON = frozenset({"03000200-0400-0500-0006-000700080009", "12345678-1234-5678-90ab-cddeefaabbcc"})


def identities(guid: str | None, serials: Iterable[str | None]) -> tuple[str, ...]:
    """``guid:...`` and ``serial:...`` of a machine, as far as they tell it from others."""
    found = [f"guid:{one}" for one in [_guid(guid)] if one]
    found += [f"serial:{one}" for one in map(_serial, serials) if one]
    return tuple(dict.fromkeys(found))


def _guid(text: str | None) -> str | None:
    """The same for both byte orders: IPMI controllers disagree about it, and Redfish turns it once more."""
    try:
        told = uuid.UUID((text or "").strip())
    except ValueError:
        return None
    turned = uuid.UUID(bytes=told.bytes_le)
    both = {str(told), str(turned)}
    # One digit all over is a value that nobody has set.
    return None if len(set(told.hex)) == 1 or both & _COMMON else min(both)


def _serial(text: str | None) -> str | None:
    plain = (text or "").strip()
    bare = re.sub(r"[\W_]", "", plain).lower()
    return None if bare in _FILLERS or len(set(bare)) == 1 else plain.upper()
