"""Signature Version 4 as the server judges it: the request as it came, recomputed from our own secret."""

import hashlib
import hmac
import re
from datetime import UTC, datetime

from app.lab.http import Request

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
)
SKEW_S = 900


def refused(request: Request, access_key: str, secret_key: str) -> tuple[str, str] | None:
    """The code and message that a request is refused with; None when its signature is right."""
    found = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        return "MissingAuthenticationToken", "The request must contain a valid signature."
    key, day, region, service, names, signature = found.groups()
    stamp = request.headers.get("x-amz-date", "")
    if key != access_key:
        return "AuthFailure", "AWS was not able to validate the provided access credentials"
    if not stamp.startswith(day) or not _recent(stamp):
        return "RequestExpired", "Request has expired."
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(_canonical(request, names)).hexdigest()
    signing = f"AWS4{secret_key}".encode()
    for part in (day, region, service, "aws4_request"):
        signing = _mac(signing, part)
    right = _mac(signing, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}").hex()
    if not hmac.compare_digest(right, signature):
        return (
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )
    return None


def _canonical(request: Request, names: str) -> bytes:
    headers = "".join(
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in names.split(";")
    )
    body = hashlib.sha256(request.body).hexdigest()
    return f"{request.method}\n{request.path}\n\n{headers}\n{names}\n{body}".encode()


def _recent(stamp: str) -> bool:
    try:
        at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs((datetime.now(UTC) - at).total_seconds()) <= SKEW_S


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
