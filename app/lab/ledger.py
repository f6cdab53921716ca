"""The append-only list of effects that were really applied: the outside witness of a test.

power.on power.off   the power changed; value says how (`command`, `soft`, `cycle`)
reset                the machine was reset while on
boot                 the boot device was set; value is the device
boot.started         the machine started; value is the device it started from
login                a session began (or a basic-auth connection); value is the user
login.refused        a login failed; value says why
login.abandoned      the client went away in the middle of the handshake, as pyghmi does when
                     it sees that the password is wrong
logout               a session was closed by its client
bmc.reset            the BMC restarted and forgot its sessions
install.started install.done install.failed install.aborted    the installer; value is the image
wipe.started wipe.done wipe.failed wipe.aborted                the installer erases what is installed
install.set          the control API said what is installed
install.called       the installer called its hook; value is the HTTP status or what went wrong
"""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a command came from; ``session`` and ``port`` tell two clients of one BMC apart."""

    protocol: str  # ipmi, redfish, control, installer or machine
    session: str | None = None
    port: int | None = None  # source port of the client


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One line of the ledger."""

    seq: int  # from 1, without gaps, also over restarts of the lab
    at: int  # milliseconds since 1970
    machine: str
    protocol: str
    effect: str
    value: str | int | None = None
    session: str | None = None
    port: int | None = None


class Ledger:
    """Keeps the effects in memory and, when a path is given, as JSON lines in a file.

    Each line is handed to the operating system before the effect counts as written, so a killed lab loses
    nothing. A ledger opened on an existing file continues it.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._lock = threading.Lock()
        self._path = Path(path) if path else None
        self._effects = list(_read(self._path)) if self._path else []
        self._seq = self._effects[-1].seq if self._effects else 0
        self._file = _continued(self._path) if self._path else None

    def write(self, machine: str, effect: str, value: str | int | None, origin: Origin) -> Effect:
        """Append one effect, at the moment when it happens."""
        with self._lock:
            self._seq += 1
            line = Effect(
                seq=self._seq,
                at=int(time.time() * 1000),
                machine=machine,
                effect=effect,
                value=value,
                **asdict(origin),
            )
            if self._file:
                self._file.write(json.dumps(asdict(line)) + "\n")
                self._file.flush()
            self._effects.append(line)
            return line

    def read(self, machine: str | None = None, since: int = 0, effect: str | None = None) -> list[Effect]:
        """The effects after sequence number ``since``, oldest first; ``effect`` also matches by prefix."""
        with self._lock:
            return [
                line
                for line in self._effects
                if line.seq > since
                and machine in (None, line.machine)
                and (effect is None or line.effect == effect or line.effect.startswith(f"{effect}."))
            ]

    def clear(self) -> None:
        """Forget the effects in memory; the file keeps them and the sequence numbers go on."""
        with self._lock:
            self._effects.clear()

    def close(self) -> None:
        """Close the file; nothing more is written to it."""
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None


def as_json(effect: Effect) -> dict[str, object]:
    """One effect as the control API shows it."""
    return asdict(effect)


def _read(path: Path) -> Iterator[Effect]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield Effect(**json.loads(line))
        except ValueError:
            # A lab that was stopped in the middle of a line leaves it torn; all other lines stand.
            continue


def _continued(path: Path) -> TextIO:
    torn = path.exists() and not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0
    file = path.open("a", encoding="utf-8")
    if torn:
        file.write("\n")
    return file
