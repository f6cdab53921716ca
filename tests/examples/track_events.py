"""Events of one's own, among those of the run."""

from typing import Any

from windlass import Context, workflow
from windlass.testing import Harness


def process_data() -> None:
    """Work."""


@workflow("track-events")
def track_events(ctx: Context) -> Any:
    ctx.emit("step-started", {"step": "process-data", "timestamp": ctx.now().isoformat()})
    ctx.step("process-data", process_data)
    ctx.emit("step-completed", {"step": "process-data", "timestamp": ctx.now().isoformat()})
    return {"success": True}


if __name__ == "__main__":
    with Harness() as h:
        for event in h.start(track_events).finish().events:
            print(event.type, event.payload)
