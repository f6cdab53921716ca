"""What the server refuses before the application is asked, in the shape that its path has elsewhere."""

import json

from app.api.http.bodies import MEBIBYTE
from app.api.http.problems import is_batch
from app.serving.refusals import Answer, Refused, too_large


def of_server(error: Refused) -> Answer:
    """Status, headers and body; the connection ends."""
    if not is_batch(error.path):
        return (too_large(MEBIBYTE) if error.status == 413 else error).answer()
    status, headers, _ = error.answer()
    said = {"success": False, "error": error.message, "code": error.code}
    told = [(name, "application/json" if name == "content-type" else value) for name, value in headers]
    return status, told, json.dumps(said).encode()
