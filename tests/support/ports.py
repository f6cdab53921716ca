"""Free ports for the tests, below the ephemeral range, so that no outgoing connection takes one first.

Several test processes may run on one machine. Each takes blocks of ports for itself: an abstract socket that
is named after the block is bound as long as the process lives; the kernel frees it whatever happens.
"""

import os
import socket
from contextlib import suppress
from itertools import chain

FIRST, LAST, BLOCK = 12_000, 32_000, 50
_KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
_claims: list[socket.socket] = []  # Kept open: they hold our blocks.
_blocks: list[int] = []
_left: list[int] = []  # Ports that were not yet given out, in their order.


def free_port() -> int:
    """A TCP port of loopback that no process listens on, and that no other test is given."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of so many neighbouring free ports, TCP and UDP."""
    for _ in range((LAST - FIRST) // BLOCK):
        while len(_left) >= count:
            found = [_left.pop(0) for _ in range(count)]
            if all(_bindable(port, kind) for port in found for kind in _KINDS):
                return found[0]
        _left[:] = _next_block()
    raise RuntimeError(f"No {count} neighbouring ports between {FIRST} and {LAST} are free.")


def _next_block() -> range:
    """Ports that are this process's alone; when there are none, those that it has had longest."""
    starts = range(FIRST, LAST, BLOCK)
    # Processes begin in different places, so that they seldom ask for what is taken.
    turned = os.getpid() * 37 % len(starts)
    for start in chain(starts[turned:], starts[:turned]):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0windlass-test-ports-{start}")
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        _blocks.append(start)
        return range(start, start + BLOCK)
    if _blocks:
        _blocks.append(start := _blocks.pop(0))
        return range(start, start + BLOCK)
    return range(0)


def _bindable(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(type=kind) as probe, suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False
