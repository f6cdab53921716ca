"""What is kept and logged of a failure of an author's code: no secret that the worker has opened is in it."""

from collections.abc import Mapping
from typing import Any

from app.auth.secrets import REDACTOR


def scrubbed(error: Mapping[str, Any]) -> dict[str, Any]:
    """The facts without secrets, in the message as in the traceback."""
    details = dict(error.get("details") or {})
    if "stack" in details:
        details["stack"] = REDACTOR.scrub(str(details["stack"]))
    if "attributes" in details:
        details["attributes"] = REDACTOR.redact(details["attributes"])
    return {**error, "message": REDACTOR.scrub(str(error["message"])), "details": details}


def log_facts(error: Mapping[str, Any]) -> dict[str, object]:
    """The facts without secrets, as fields of a line in the worker's log."""
    stack = (error.get("details") or {}).get("stack")
    return {"code": error["code"], "error": error["message"], **({"exception": stack} if stack else {})}
