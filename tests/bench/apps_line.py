"""Events of apps as clients send them: runs of three events, and of nine with a step, a wait and a hook."""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.bench.workload import Wrong

HOST = "127.0.0.1"
RUN = "wrun_bench"  # Stands for the run's id wherever an event has it.
PAYLOAD = "ZGV2bA" * 15
START = {"workflowName": "workflow//./w//line", "deploymentId": "v1", "input": PAYLOAD}
STEP, WAIT, HOOK = "step_1", "wait_1", "hook_1"
Event = dict[str, Any]
_NUMBERS = count(1)


def _event(kind: str, correlation_id: str | None = None, **data: object) -> Event:
    return {"eventType": kind, "specVersion": 6, "correlationId": correlation_id, "eventData": data}


BEGIN = (_event("run_created", **START), _event("run_started"))
END = (_event("run_completed", output=PAYLOAD),)
BARE = (*BEGIN, *END)
BUSY = (
    *BEGIN,
    _event("step_started", STEP, stepName="step//./w//add", input=PAYLOAD),
    _event("step_completed", STEP, result=PAYLOAD),
    _event("wait_created", WAIT, resumeAt="2030-01-01T00:00:00.000Z"),
    _event("wait_completed", WAIT),
    _event("hook_created", HOOK, token=f"token of {RUN}", metadata=PAYLOAD),
    _event("hook_received", HOOK, payload=PAYLOAD),
    *END,
)
LINES = {"bare": BARE, "busy": BUSY}


@dataclass(frozen=True, kw_only=True)
class AppsApi:
    """Where events go; ``path`` has places for the line, the event's place in it and the run."""

    port: int
    path: str
    headers: Mapping[str, str]

    def requests(self, line: str) -> Iterator[bytes]:
        """The requests of one more run."""
        run_id = f"wrun_{next(_NUMBERS)}"
        for place, event in enumerate(LINES[line]):
            path = self.path.format(line=line, place=place, run=run_id)
            yield request(self, path, json.dumps(event).replace(RUN, run_id).encode())


def request(api: AppsApi, path: str, body: bytes) -> bytes:
    """A POST of JSON as bytes."""
    heads = {"Host": f"{HOST}:{api.port}", "Content-Type": "application/json", **api.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in heads.items())
    return f"POST {path} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def send(api: AppsApi, line: str, *, clients: int, runs: int) -> list[float]:
    """Milliseconds of each event of so many runs, by that many clients at once."""
    return ask(api.port, (api.requests(line) for _ in range(runs)), clients=clients)


def ask(port: int, sequences: Iterator[Iterator[bytes]], *, clients: int) -> list[float]:
    """Milliseconds of each request; a client takes a sequence and asks one after the other."""
    return asyncio.run(_asked(port, sequences, clients))


async def _asked(port: int, sequences: Iterator[Iterator[bytes]], clients: int) -> list[float]:
    took: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection(HOST, port)
        for sequence in sequences:
            for each in sequence:
                begun = time.perf_counter()
                writer.write(each)
                await _answered(reader)
                took.append((time.perf_counter() - begun) * 1000)
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return took


async def _answered(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(line for line in lines if line.startswith(b"content-length:"))
    body = await reader.readexactly(int(length.partition(b":")[2]))
    if not head.startswith(b"HTTP/1.1 20"):
        raise Wrong(f"the answer was {head[:200]!r} {body[:300]!r}")
