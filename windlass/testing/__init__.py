"""Test workflows without a server: `Harness` runs them and skips time, `survives` kills the worker."""

from windlass.testing.harness import Harness
from windlass.testing.kills import survives
from windlass.testing.record import Event
from windlass.testing.trial import RunFailed, Step, Stuck, Trial

__all__ = ["Event", "Harness", "RunFailed", "Step", "Stuck", "Trial", "survives"]
