"""Keeping secrets out of logs, events, errors and tracebacks.

Two nets: members whose name looks like a credential lose their value, and secrets that the process knows
are cut out of every text, in the encodings in which they usually leak.
"""

import base64
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
SHORTEST = 4  # Shorter secrets are not cut out of texts: every other word would go with them.
SEALED = "$secret"  # The only member of a sealed secret in a value of a code workflow (windlass.values).
DEEPEST = 64  # Deeper values (or values that contain themselves) are dropped, not followed.

_SUSPECT = re.compile(
    r"passw(or)?d|passphrase|passcode|secret|token|credential|authorization|cookie|private"
    r"|kubeconfig|api_?-?key|access_?-?key|pwd",
    re.IGNORECASE,
)
# Words about a credential rather than the credential: secretRef, credentialsVersion, tokenExpiresAt.
_HARMLESS = re.compile(r"(?:Ref|Version|Id|At)$|[_-](?:ref|version|id|at)$")


class Secret:
    """A text that shows itself only when asked to: not in logs, formats, JSON or pickles."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text in clear."""
        return self._text

    def __repr__(self) -> str:
        return "Secret([redacted])"

    def __str__(self) -> str:
        return REDACTED

    def __format__(self, specification: str) -> str:
        return format(REDACTED, specification)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


class Redactor:
    """Redacts values with the secrets it has been told of."""

    def __init__(self) -> None:
        self._forms: dict[str, tuple[str, ...]] = {}  # Replaced whole, never changed: readers take no lock.

    def learn(self, *secrets: str | Secret) -> None:
        """Cut these secrets out of every text from now on."""
        texts = [secret.reveal() if isinstance(secret, Secret) else secret for secret in secrets]
        known = {text: _forms_of(text) for text in texts if len(text) >= SHORTEST}
        self._forms = {**self._forms, **known}

    def forget(self, *secrets: str | Secret) -> None:
        """Stop looking for these secrets."""
        gone = {secret.reveal() if isinstance(secret, Secret) else secret for secret in secrets}
        self._forms = {text: forms for text, forms in self._forms.items() if text not in gone}

    def forget_all(self) -> None:
        """Forget every secret: the step that used them has ended."""
        self._forms = {}

    @contextmanager
    def knowing(self, *secrets: str | Secret) -> Iterator[None]:
        """Know the secrets for the duration of one call."""
        self.learn(*secrets)
        try:
            yield
        finally:
            self.forget(*secrets)

    def scrub(self, text: str) -> str:
        """The text without any secret that is known."""
        forms = {form for known in self._forms.values() for form in known if form in text}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, REDACTED)
        return text

    def redact(self, value: Any) -> Any:
        """A copy of a JSON-like value without credentials and without secrets that are known."""
        return self._redacted(value, 0)

    def _redacted(self, value: Any, depth: int) -> Any:
        if depth > DEEPEST or isinstance(value, Secret):
            return REDACTED
        if isinstance(value, str):
            return self.scrub(value)
        if isinstance(value, bytes):
            return self.scrub(value.decode("utf-8", "replace"))
        if isinstance(value, Mapping):
            return {key: self._member(key, member, depth) for key, member in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._redacted(member, depth + 1) for member in value]
        return value

    def _member(self, key: Any, value: Any, depth: int) -> Any:
        # Nothing and yes-or-no betray no credential, and readers want to know whether one was given.
        if looks_like_credential(str(key)) and value is not None and not isinstance(value, bool):
            return REDACTED
        return self._redacted(value, depth + 1)


REDACTOR = (
    Redactor()
)  # Knows the secrets that this process has opened; logs, events and errors go through it.


def redact(value: Any) -> Any:
    """A copy of a JSON-like value without members named like a credential and without secrets known here."""
    return REDACTOR.redact(value)


def hidden(value: Any) -> Any:
    """A copy of a JSON value with what was declared a secret hidden, and everything else as it is.

    For answers: whoever asks gets the values that he or his workflow gave. What only looks like a secret is
    hidden in logs alone.
    """
    if isinstance(value, Mapping):
        if value.keys() == {SEALED}:
            return {SEALED: REDACTED}
        return {key: hidden(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(member) for member in value]
    return REDACTED if isinstance(value, Secret) else value


def looks_like_credential(name: str) -> bool:
    """Whether a member of this name is taken for a credential."""
    return bool(_SUSPECT.search(name)) and not _HARMLESS.search(name)


def _forms_of(text: str) -> tuple[str, ...]:
    """The text as it is and as JSON, URLs, forms, reprs and base64 carry it."""
    raw = text.encode("utf-8", "surrogatepass")
    return tuple(
        {
            text,
            json.dumps(text)[1:-1],
            json.dumps(text, ensure_ascii=False)[1:-1],
            quote(raw, safe=""),
            quote_plus(raw),
            repr(text)[1:-1],
            repr(raw)[2:-1],
            base64.b64encode(raw).decode().rstrip("="),
            base64.urlsafe_b64encode(raw).decode().rstrip("="),
        }
    )
