"""Processes whose clock is wrong, by an hour or by a day, until it jumps back (see `wrongtime`)."""

import json
import shutil
from collections.abc import Mapping
from glob import glob
from pathlib import Path
from random import Random
from typing import ClassVar

from tests.chaos.fault import POSTGRES, Fault, Injection, Setting, register
from tests.chaos.faults.processes import family, kill
from tests.chaos.faults.waiting import within
from tests.chaos.faults.wrongtime import FOLDER, TABLE
from tests.chaos.site import Site

SHIFTS_S = (3_600, -3_600, 86_400, -86_400)
STARTED_S = 20.0
# Whose clock is shifted: role, and what identifies the process in its command line.
WHO: Mapping[str, str] = {"host": "h0", "api": "app.serving", "reconciler": "reconciler"}


def library() -> str | None:
    """Debian's libfaketime, for programs with threads."""
    found = glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    return found[0] if found and shutil.which("faketime") else None


class Shifted(Fault):
    """A process starts with a wrong clock, and what it starts has the same one; then the clock jumps back.

    On SQLite the machine's clock is the database's, and one for all: there no process can be wrong alone.
    """

    backends = (POSTGRES,)
    needs = Setting(inside=("tests.chaos.faults.wrongtime",))
    lasts_s = (5.0, 20.0)
    role: ClassVar[str]

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Kill a process; its next life has the wrong time."""
        preloaded, shift_s = library(), rng.choice(SHIFTS_S)
        found = [one for one in site.processes(self.role) if WHO[self.role] in " ".join(one.cmdline())]
        if preloaded is None or not found:
            return None
        before = set(_files(site))
        table = {"library": preloaded, "shifts": {WHO[self.role]: shift_s}}
        (site.folder / TABLE).write_text(json.dumps(table))
        hit = kill(family(found[0]))
        if not within(STARTED_S, lambda: set(_files(site)) - before):
            self.heal(site)
            return None
        return self.injection(f"the clock of {self.role} is wrong by {shift_s} s", hit)

    def heal(self, site: Site) -> None:
        """Their clocks jump to the right time while they run; who starts from now on has the right one."""
        (site.folder / TABLE).unlink(missing_ok=True)
        for file in _files(site):
            file.write_text("+0")


@register
class HostShifted(Shifted):
    """A worker host with its reconciler."""

    name, rows, role = "host-clock-shifted", ("RF14", "DF12", "AF7"), "host"


@register
class ApiShifted(Shifted):
    """The API."""

    name, rows, role = "api-clock-shifted", ("RF14",), "api"


@register
class ReconcilerShifted(Shifted):
    """A reconciler on a machine of its own."""

    name, rows, role = "reconciler-clock-shifted", ("RF14", "DF12"), "reconciler"


def _files(site: Site) -> list[Path]:
    folder = site.folder / FOLDER
    return sorted(folder.iterdir()) if folder.exists() else []
