"""What befalls apps: the apps API, the processes that deliver messages, handlers, and writers of one run."""

from random import Random
from typing import ClassVar

from tests.chaos.apps.program import AFTER, BEFORE
from tests.chaos.fault import Fault, Injection, Rhythm, Setting, register
from tests.chaos.faults.processes import Frozen, Killed
from tests.chaos.site import Site

APPS = Setting(apps=True)


@register
class DoorWorkerKilled(Killed):
    """A process of the apps API dies with whatever it was writing."""

    name, rows, role, needs = "apps-api-worker-killed", ("AF1",), "apps-api-worker", APPS
    weight = 3.0


@register
class DoorLost(Killed):
    """The whole apps API dies."""

    name, rows, role, needs, whole = "apps-api-lost", ("AF1",), "apps-api", APPS, True


@register
class DispatcherKilled(Killed):
    """A process that delivers dies; what it held comes back when its lease is over."""

    name, rows, role, needs = "dispatcher-killed", ("AF2",), "dispatcher", APPS
    beat: ClassVar[Rhythm | None] = "freeze"


@register
class DeliveringHostKilled(Killed):
    """A whole host that delivers dies."""

    name, rows, role, needs, whole = "delivering-host-killed", ("AF2",), "host", APPS, True
    beat: ClassVar[Rhythm | None] = "weather"


@register
class DispatcherFrozen(Frozen):
    """A process that delivers stands still until others have taken over what it held, and then goes on."""

    name, rows, role, needs = "dispatcher-frozen", ("AF6",), "dispatcher", APPS


@register
class HandlerMisbehaves(Fault):
    """An app's handler hangs, resets, redirects, answers too much, or asks for nonsense."""

    name, rows, needs = "handler-misbehaves", ("AF5",), APPS
    beat: ClassVar[Rhythm | None] = "freeze"
    lasts_s = (1.0, 3.0)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Let it."""
        mood = rng.choice([*BEFORE, *AFTER])
        site.users.program.mood = mood
        return self.injection(f"the handler {mood}")

    def heal(self, site: Site) -> None:
        """It behaves again."""
        site.users.program.mood = ""


@register
class WritersRace(Fault):
    """Twelve writers post the same to one run at the same moment, event by event to its end."""

    name, rows, needs = "writers-race", ("AF8",), APPS
    beat: ClassVar[Rhythm | None] = "demand"

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Let them."""
        run_id = site.users.race()
        return self.injection(f"writers raced on {run_id}") if run_id else None
