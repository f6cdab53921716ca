"""One operation of a batch, as data."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.json import JsonObject


@dataclass(frozen=True, kw_only=True, slots=True)
class Dependency:
    """What an operation waits for."""

    id: str  # Of the other operation.
    type: str = "hard"  # hard, soft, optional
    condition: str = "success"  # success, failure, finished

    def document(self) -> JsonObject:
        """As JSON."""
        return {"id": self.id, "type": self.type, "condition": self.condition}


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """Faults that a server of the provider local plays, counted over all its attempts."""

    delay_seconds: float = 0.0
    fail_attempts: int = 0  # So many first attempts fail.
    permanent: bool = False  # The first failure is final.
    lost_answers: int = 0  # So many first attempts take effect, and their answer is lost.
    undo_fail_attempts: int = 0

    def document(self) -> JsonObject:
        """As JSON."""
        return {
            "delay_seconds": self.delay_seconds,
            "fail_attempts": self.fail_attempts,
            "permanent": self.permanent,
            "lost_answers": self.lost_answers,
            "undo_fail_attempts": self.undo_fail_attempts,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """What a server of a pool is installed with."""

    url: str
    checksum: str | None = None
    checksum_type: str | None = None
    format: str | None = None

    def document(self) -> JsonObject:
        """As JSON; what was not said is left out."""
        told = {"checksum": self.checksum, "checksum_type": self.checksum_type, "format": self.format}
        return {"url": self.url, **{name: value for name, value in told.items() if value is not None}}


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerConfig:
    """A server that is to exist."""

    name: str
    plan: str  # As written; providers compare plans without blanks.
    zone: str
    rehearsal: Rehearsal | None = None
    image: Image | None = None  # Of a server of a pool.

    def document(self) -> JsonObject:
        """As JSON."""
        shown: JsonObject = {"name": self.name, "plan": self.plan, "zone": self.zone}
        if self.image is not None:
            shown["image"] = self.image.document()
        return shown if self.rehearsal is None else {**shown, "rehearsal": self.rehearsal.document()}


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often an item is tried, and the waits between; seconds."""

    max_attempts: int = 3
    backoff: str = "exponential"  # exponential, linear
    initial_delay: float = 5.0
    max_delay: float = 300.0

    def document(self) -> JsonObject:
        """As JSON."""
        return {
            "max_attempts": self.max_attempts,
            "backoff": self.backoff,
            "initial_delay": self.initial_delay,
            "max_delay": self.max_delay,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """Servers to make, or taskservs to install on servers."""

    id: str
    type: str  # server_batch, taskserv_batch
    provider: str  # upcloud, aws, local
    account: str | None = None  # None: the one account of the provider.
    dependencies: tuple[Dependency, ...] = ()
    server_configs: tuple[ServerConfig, ...] = ()
    taskservs: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()  # Names of servers or ids of operations; empty: see `targets.of`.
    on_failure: str = "rollback"  # rollback, continue, fail, hold
    timeout_s: int = 300  # Of one item.
    parallel: int | None = None  # Items at once; None: all of them.
    priority: int = 0  # Among operations that are ready, the higher one starts first.
    approval: bool = False  # Whether it waits for an approval before it starts.
    retry_policy: RetryPolicy | None = None  # None: that of the batch.

    def document(self) -> JsonObject:
        """As JSON."""
        shown: JsonObject = {"id": self.id, "type": self.type, "provider": self.provider}
        if self.account is not None:
            shown["account"] = self.account
        shown["dependencies"] = [one.document() for one in self.dependencies]
        if self.type == "server_batch":
            shown["server_configs"] = [one.document() for one in self.server_configs]
        else:
            shown["taskservs"] = list(self.taskservs)
        if self.targets:
            shown["targets"] = list(self.targets)
        shown |= self._policies()
        return shown

    def _policies(self) -> Mapping[str, object]:
        policy = {} if self.retry_policy is None else {"retry_policy": self.retry_policy.document()}
        return {
            "on_failure": self.on_failure,
            "timeout": self.timeout_s,
            "parallel": True if self.parallel is None else self.parallel,
            "priority": self.priority,
            "approval": self.approval,
            **policy,
        }
