"""Tables from an IPMI controller's codes and pyghmi's texts to our errors.

Sources: IPMI 2.0, table 5-2 (completion codes) and table 13-15 (RMCP+ status codes).
"""

from app.domain.errors import BmcAuthFailed, BmcConnectionFailed, BmcError, BmcRefused

Meaning = tuple[type[BmcError], str]

COMPLETION_CODES: dict[int, Meaning] = {
    0xC0: (BmcRefused, "busy"),
    0xC1: (BmcRefused, "unsupported"),
    0xC2: (BmcRefused, "unsupported"),
    0xC3: (BmcRefused, "busy"),
    0xD0: (BmcRefused, "busy"),
    0xD1: (BmcRefused, "busy"),
    0xD2: (BmcRefused, "busy"),
    0xD4: (BmcRefused, "privilege"),
    0xD6: (BmcRefused, "unsupported"),
}

# The first text that is contained in pyghmi's message decides.
LOGIN_TEXTS: tuple[tuple[str, Meaning], ...] = (
    ("Incorrect password", (BmcAuthFailed, "password")),
    ("Invalid RAKP4 integrity", (BmcAuthFailed, "password")),
    ("Invalid integrity check value", (BmcAuthFailed, "password")),
    ("Unauthorized name", (BmcAuthFailed, "user")),
    ("Invalid username length", (BmcAuthFailed, "user")),
    ("Unauthorized role", (BmcAuthFailed, "privilege")),
    ("Invalid role", (BmcAuthFailed, "privilege")),
    ("privelege level", (BmcAuthFailed, "privilege")),
    ("Insufficient resources", (BmcConnectionFailed, "session_limit")),
    ("Invalid Session ID", (BmcConnectionFailed, "lost")),
    ("Inactive Session ID", (BmcConnectionFailed, "lost")),
    ("Cipher Suite", (BmcRefused, "unsupported")),
    ("algorithm", (BmcRefused, "unsupported")),
    ("integrity payload", (BmcRefused, "unsupported")),
    ("not offered", (BmcRefused, "unsupported")),
    ("Busy", (BmcConnectionFailed, "busy")),
    ("in progress", (BmcConnectionFailed, "busy")),
    ("imeout", (BmcConnectionFailed, "unreachable")),
    ("failed to initialize", (BmcConnectionFailed, "unreachable")),
)

# pyghmi's error classes by name, because the library loads late; None is silence, whatever the text says.
LIBRARY_ERRORS: dict[str, Meaning | None] = {
    "IpmiException": None,
    "PyghmiException": (BmcConnectionFailed, "garbled"),
    "BmcErrorException": (BmcConnectionFailed, "garbled"),
    "RedfishError": (BmcConnectionFailed, "garbled"),
    "BypassGenericBehavior": (BmcConnectionFailed, "garbled"),
    "FallbackData": (BmcConnectionFailed, "garbled"),
    "InvalidParameterValue": (BmcRefused, "unsupported"),
    "UnsupportedFunctionality": (BmcRefused, "unsupported"),
    "TemporaryError": (BmcRefused, "busy"),
    "UnrecognizedCertificate": (BmcConnectionFailed, "certificate"),
}


def refusal(code: int) -> Meaning:
    """What a completion code other than zero means."""
    return COMPLETION_CODES.get(code, (BmcRefused, "refused"))


def login_failure(text: object) -> Meaning:
    """What pyghmi's text for a failed login means; None, its word for a timeout, and silence are unreachable.

    A text nobody knows counts as a refused login, because those are not repeated and lock no account.
    """
    if text is None or str(text) in ("", "None"):
        return BmcConnectionFailed, "unreachable"
    return next((meaning for part, meaning in LOGIN_TEXTS if part in str(text)), (BmcAuthFailed, "user"))
