"""How the states of things look in a terminal: a mark and a style for each word, so that both tell it."""

Look = tuple[str, str]  # A mark, and a style of rich.

GOOD: Look = ("✔", "green")
BAD: Look = ("✘", "red")
BUSY: Look = ("▶", "cyan")
WAITS: Look = ("…", "yellow")
ASKS: Look = ("!", "bold red")  # Nothing happens until an operator decides.
IDLE: Look = ("·", "dim")
STOPPED: Look = ("■", "dim")
PLAIN: Look = (" ", "")

# One table for steps, runs, servers, clusters, machines, deliveries and occurrences.
WORDS: dict[Look, tuple[str, ...]] = {
    GOOD: (
        "completed",
        "resolved",
        "delivered",
        "started",
        "available",
        "provisioned",
        "healthy",
        "ready",
        "valid",
        "Completed",
    ),
    BAD: ("Failed", "PartiallyCompleted", "RollbackFailed", "failed", "error", "unhealthy", "missed", "dead"),
    BUSY: (
        *("running", "cancelling", "compensating"),
        *("registering", "inspecting", "provisioning", "powering", "deprovisioning", "decommissioning"),
        *("Running", "RollingBack"),
        *("creating", "scaling", "upgrading", "deleting", "starting", "stopping"),
    ),
    WAITS: ("Blocked", "waiting", "lock_waiting", "paused", "degraded"),
    ASKS: ("failed_held", "blocked", "compensation_failed"),
    IDLE: ("Pending", "pending", "queued", "registered", "stopped", "validated", "unknown"),
    STOPPED: (
        "Cancelled",
        "Skipped",
        "RolledBack",
        "cancelled",
        "decommissioned",
        "deleted",
        "skipped",
        "revoked",
        "expired",
    ),
    ("↻", "yellow"): ("retry_wait", "retrying", "Retrying"),
}
LOOKS = {word: look for look, words in WORDS.items() for word in words}


def look(word: str) -> Look:
    """The mark and the style of a state; a word that is not known is plain."""
    return LOOKS.get(word, PLAIN)
