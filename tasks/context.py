"""What a step is given: who it is, how to reach the world, how to report."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from app.auth.secrets import redact
from app.domain.errors import Permanent, StepError, WindlassError
from app.domain.text import legible
from app.providers.clusters import Clusters
from app.providers.vms import Machines
from app.record.inventory import gates
from app.record.session import Database
from tasks.capabilities import Capabilities, GatedBMC

LOG_BYTES = 65_536  # What one attempt may log.
ORDER_PATIENCE_S = 30.0  # An order waits this long for a database that is away.


class Cancelled(StepError):
    """The run was asked to stop while the step ran."""

    code = "CANCELLED"
    retryable = False


@dataclass
class Context:
    """One attempt of one step.

    ``operation_id`` is the same for every attempt of the step: pass it to whatever honours idempotency
    keys. ``fence`` grows with every attempt: pass it to whatever can refuse an older one.
    """

    run_id: str
    type: str
    step: str
    phase: str
    attempt: int
    fence: int
    unsure: bool  # An earlier attempt may have taken effect.
    goal: str | None  # While undoing: where the run ends, "failed" or "cancelled".
    triggered_by: str
    db: Database = field(repr=False)
    capabilities: Capabilities = field(repr=False)
    cancelled: Callable[[], bool] = field(repr=False)
    tries: int = 1  # Attempts that count, this one included; those whose worker was lost do not.
    logs: list[dict[str, Any]] = field(default_factory=list, repr=False)
    _logged: int = field(default=0, repr=False)

    @property
    def operation_id(self) -> str:
        """The idempotency key of the step's effect."""
        return f"{self.run_id}/{self.phase}/{self.step}"

    def log(self, message: str, **fields: Any) -> None:
        """Write a line to the run's event log; at most 64 KiB an attempt, secrets are redacted."""
        self._add({"message": message, **({"fields": fields} if fields else {})})

    def report(self, progress: str) -> None:
        """Say how far the step is: shown with the step while it runs, and a line of the run's log."""
        self._add({"message": progress, "progress": True})

    def _add(self, said: dict[str, Any]) -> None:
        line = legible(redact(said))
        size = len(json.dumps(line, default=str))
        if self._logged + size > LOG_BYTES:
            if self._logged <= LOG_BYTES:
                self.logs.append({"message": "the log of this attempt is full; the rest is not kept"})
            self._logged = LOG_BYTES + 1
            return
        self._logged += size
        self.logs.append(line)

    def check_cancelled(self) -> None:
        """Raise `Cancelled` when the run was asked to stop; for long bodies between two effects."""
        if self.cancelled():
            raise Cancelled("The run was asked to stop")

    @contextmanager
    def before_order(self) -> Iterator[None]:
        """What an order that must never be sent twice needs first; in the end its intent is recorded.

        Raises when the order must not be sent: something failed, or this worker was away and another one has
        the step by now. Nothing happened then.
        """
        try:
            yield
            # The last thing before the order, under the lock of the step's row: a worker that has lost the
            # step is stopped here.
            ours = self.db.write(
                lambda tx: gates.intend(tx, self.operation_id, self.fence), patience_s=ORDER_PATIENCE_S
            )
        except StepError as error:
            error.nothing_happened = True
            raise
        except WindlassError as error:
            raise StepError(f"Nothing was sent: {error.message}", nothing_happened=True) from error
        if not ours:
            raise Permanent("Nothing was sent: another worker has the step by now", nothing_happened=True)

    def may_have_ordered(self) -> bool:
        """Whether an earlier attempt was about to send its order, which may still come."""
        return self.db.read(
            lambda tx: gates.intended(tx, self.operation_id, self.fence), patience_s=ORDER_PATIENCE_S
        )

    def hook(self, step: str | None = None) -> str:
        """A URL that somebody outside may call once to end the wait of this operation, or of a later one."""
        return self.capabilities.open_hook(self.run_id, step or self.step)

    def clusters(self, management_id: str) -> Clusters:
        """The clusters of a management cluster."""
        return self.capabilities.clusters(management_id)

    def machines(self, management_id: str) -> Machines:
        """The virtual machines of a management cluster."""
        return self.capabilities.machines(management_id)

    def bmc(self, server_id: str) -> GatedBMC:
        """The management controller of a server (see `app.providers.bmc.BMC`)."""
        return self.capabilities.bmc(server_id, self.run_id)
