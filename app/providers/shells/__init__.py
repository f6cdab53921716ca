"""The shell capability: scripts on a server, each started only once for its token."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Ran:
    """How a script ended."""

    code: int
    output: str  # Its end, standard output and errors together.


class Shell(Protocol):
    """One server; every call is short."""

    def run(self, script: str, env: Mapping[str, str], *, within_s: float) -> Ran:
        """Run a script that changes nothing, and wait for its end."""

    def start(self, token: str, script: str, env: Mapping[str, str]) -> None:
        """Begin a script, unless one was begun under this token before."""

    def begun(self, token: str) -> bool:
        """Whether a script was begun under this token."""

    def ended(self, token: str) -> Ran | None:
        """How the script of a token ended; None while it runs."""

    def stop(self, token: str) -> None:
        """End the script of a token, with all that it began, and forget the token."""
