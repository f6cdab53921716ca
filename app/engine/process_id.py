"""Names worker processes so that their neighbours can tell whether they still live.

A name is ``place:pid``. The place is the host's name with a digest of what makes its process ids unique: the
boot and the process namespace. Two containers that share a host name are thus two places, and nobody takes
a process for dead whose id means something else here.
"""

import hashlib
import os
import socket
from functools import cache
from pathlib import Path

ZOMBIE = frozenset("ZX")


@cache
def place() -> str:
    """Where process ids mean the same as here."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    mark = hashlib.sha256(f"{boot} {namespace}".encode()).hexdigest()[:8]
    return f"{socket.gethostname()}.{mark}"


def instance() -> str:
    """The name of this very process."""
    return f"{place()}:{os.getpid()}"


def is_gone(holder: str) -> bool:
    """Whether the process that holds something (``place:pid/…``) is of this place and no longer lives.

    A process id that somebody else has by now counts as alive: then the lease decides, as everywhere.
    """
    where, _, rest = holder.rpartition("/")[0].rpartition(":")
    return where == place() and rest.isdecimal() and not _lives(int(rest))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # Another user's process, which /proc may hide.
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(") ")[2][:1] not in ZOMBIE
