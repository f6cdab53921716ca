"""In `Setting.inside`: worker processes write down which message got which step.

The generation of a message is nowhere in the record, since it means nothing once the step is claimed.
"""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.chaos.ledger import VARIABLE

FILE = "links.jsonl"


def watch() -> None:
    """Put the witness between the link and its claim."""
    from app.engine.transitions.claim import Claim

    link: Any = importlib.import_module("app.worker.loop")
    claim = link.claim

    def seen(db: Any, run_id: str, phase: str, key: str, gen: int, holder: Any) -> Any:
        got = claim(db, run_id, phase, key, gen, holder)
        if isinstance(got, Claim):
            current = got.step["gen"] if got.step["branch"] else got.run["dispatch_gen"]
            _note({"run": run_id, "step": key, "asked": gen, "current": current})
        return got

    link.claim = seen


def _note(facts: dict[str, Any]) -> None:
    path = Path(os.environ[VARIABLE]).with_name(FILE)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, (json.dumps(facts) + "\n").encode())
    finally:
        os.close(handle)


if "-A tasks" in " ".join(sys.orig_argv) and __name__ in os.environ.get("CHAOS_INSIDE", "").split():
    watch()
