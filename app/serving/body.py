"""Reads the whole body of a request before a thread works on it: a slow sender occupies only memory."""

import asyncio
from typing import Any

from granian._granian import RSGIProtocolClosed as ProtocolClosed

from app.serving.limits import Limits
from app.serving.refusals import bad_request, too_large, too_slow


async def body_of(scope: Any, protocol: Any, limits: Limits) -> bytes | None:
    """The body, or None when the client has disconnected; raises `Refused`."""
    declared = scope.headers.get("content-length")
    if declared is None and scope.headers.get("transfer-encoding") is None:
        return b""
    try:
        # The wait must end before the refusal is sent: granian keeps a connection open whose body is awaited.
        async with asyncio.timeout(limits.body_s):
            if declared is not None and int(declared) <= limits.body_bytes:
                return bytes(await protocol())
            return await _read(protocol, None if declared is None else int(declared), limits)
    except TimeoutError:
        raise too_slow(limits.body_s) from None
    except ProtocolClosed:
        return None


async def _read(protocol: Any, declared: int | None, limits: Limits) -> bytes:
    """A body of unknown length, or one that is too long.

    The latter is read on for a while and dropped: a client that still sends when the connection is closed
    would not get the refusal.
    """
    body, read = bytearray(), 0
    async for chunk in protocol:
        read += len(chunk)
        if max(declared or 0, read) <= limits.body_bytes:
            body += chunk
        elif read > limits.drained_bytes:
            break
    if max(declared or 0, read) > limits.body_bytes:
        raise too_large(limits.body_bytes)
    if not body:
        # Its end cannot be told from a connection that broke: an empty body must not stand for a lost one.
        raise bad_request("A chunked body is empty or was cut off; send Content-Length: 0 instead.")
    return bytes(body)
