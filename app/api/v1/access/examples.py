"""Keys and sessions as examples."""

from app.api.v1.examples import AT, KEY_ID, LATER

KEY: dict[str, object] = {
    "id": KEY_ID,
    "name": "ci",
    "prefix": "k3v9x2qa",
    "scopes": ["runs:read", "runs:write"],
    "state": "valid",
    "createdAt": AT,
    "expiresAt": None,
    "usedAt": LATER,
    "revokedAt": None,
}
KEY_SECRETS = {
    "token": "wlk_k3v9x2qa_V2luZGxhc3MgdG9rZW4gb2YgMjU2IGJpdHMgISE",
    "callbackSecret": "whsec_V2luZGxhc3Mgc2VjcmV0IG9mIDI1NiBiaXRz",
}
SESSION: dict[str, object] = {
    "id": "ses_01kc9v5q8w3f7x2m4n6p8r0t1v",
    "keyId": KEY_ID,
    "agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0",
    "createdAt": AT,
    "seenAt": LATER,
    "expiresAt": "2026-01-20T12:00:00.000Z",
}
