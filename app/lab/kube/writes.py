"""How a change is asked for."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Write:
    """Who writes and how."""

    user: str
    manager: str
    dry_run: bool = False
    force: bool = False
    validation: str = "Warn"  # Strict refuses unknown fields, Warn tells them, Ignore drops them silently.
    subresource: str = ""
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """What a client asks about a deletion."""

    uid: str | None = None
    version: str | None = None
    policy: str = "Background"
