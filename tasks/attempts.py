"""A script that may be tried several times on one server: each attempt has a token of its own there.

How often it was tried is known on the server itself, so it holds whatever becomes of workers and polls.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.providers.shells import Ran, Shell


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """The attempts of one script."""

    shell: Shell
    token: str
    script: str
    env: Mapping[str, str]
    limit: int  # Attempts in all.

    def latest(self) -> tuple[int, Ran | None]:
        """The number of the attempt that was begun last, from 1 on, and how it ended; None: not yet."""
        number = 1
        # Asked of the server, from the first on: a worker that began an attempt may have died before anybody
        # heard of it.
        while number < self.limit and self.shell.begun(self._token(number + 1)):
            number += 1
        return number, self.shell.ended(self._token(number))

    def begin(self, number: int) -> None:
        """Begin an attempt, unless it was begun and has not died without a word."""
        self.shell.start(self._token(number), self.script, self.env)

    def forget(self) -> None:
        """End what runs, and know nothing of any attempt."""
        # The newest first: `latest` counts upwards and would no longer find one that still runs beyond a gap.
        for number in range(self.limit, 0, -1):
            if self.shell.begun(self._token(number)):
                self.shell.stop(self._token(number))

    def _token(self, number: int) -> str:
        return f"{self.token}.{number}"
