"""Definitions of batches: a decoded JSON document becomes data, or is refused and its members named."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.batch import graph, targets, words
from app.domain.batch.invalid import InvalidDefinition, too_many
from app.domain.batch.operation import Dependency, Image, Operation, Rehearsal, RetryPolicy, ServerConfig
from app.domain.batch.reader import Members, Problems, depth_of
from app.domain.json import JsonObject

__all__ = [
    "BatchDefinition",
    "Dependency",
    "Image",
    "InvalidDefinition",
    "Operation",
    "Rehearsal",
    "RetryPolicy",
    "RollbackStrategy",
    "ServerConfig",
    "parse",
]
BATCH = dict.fromkeys(
    (
        *("name", "version", "storage_backend", "parallel_limit", "rollback_enabled", "operations"),
        *("retry_policy", "rollback_strategy", "only", "except"),
        *words.KEPT,
    )
)
COMMON = (
    *("id", "type", "provider", "account", "dependencies", "depends_on", "on_failure", "timeout"),
    *("parallel", "priority", "approval", "retry_policy"),
)
OPERATION = {
    "server_batch": dict.fromkeys((*COMMON, "server_configs")),
    "taskserv_batch": dict.fromkeys((*COMMON, "taskservs", "targets")),
}
DEPENDENCY = dict.fromkeys(("id", "type", "condition"))
SERVER = dict.fromkeys(("name", "plan", "zone", "rehearsal", "image"))
IMAGE = dict.fromkeys(("url", "checksum", "checksum_type", "format"))
REHEARSAL = dict.fromkeys(
    ("delay_seconds", "fail_attempts", "permanent", "lost_answers", "undo_fail_attempts")
)
RETRY = dict.fromkeys(("max_attempts", "backoff", "initial_delay", "max_delay"))
STRATEGY = dict.fromkeys(("checkpoint_interval", "preserve_successful"))
DAY_S = 86_400
TIMEOUT_S, INSTALLATION_S = 300, 7_200  # Of one item; of one that a machine of a pool is installed for.


@dataclass(frozen=True, kw_only=True)
class RollbackStrategy:
    """When checkpoints are made, and what a rollback leaves."""

    checkpoint_interval: int = 5  # Completed operations.
    preserve_successful: bool = False  # Only failed operations are undone.

    def document(self) -> JsonObject:
        """As JSON."""
        return {
            "checkpoint_interval": self.checkpoint_interval,
            "preserve_successful": self.preserve_successful,
        }


@dataclass(frozen=True, kw_only=True)
class BatchDefinition:
    """A batch that may be submitted."""

    name: str
    operations: tuple[Operation, ...]
    version: str = "1.0.0"
    storage_backend: str = "filesystem"
    parallel_limit: int = 5  # Operations at once.
    rollback_enabled: bool = True
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    rollback_strategy: RollbackStrategy = field(default_factory=RollbackStrategy)
    only: tuple[str, ...] = ()  # Operations to run, with their hard ancestors; empty: all.
    except_: tuple[str, ...] = ()
    extras: Mapping[str, object] = field(default_factory=dict)  # Kept, without effect.

    def document(self) -> JsonObject:
        """As JSON, every default written; `parse` gives the same definition again."""
        return {
            "name": self.name,
            "version": self.version,
            "storage_backend": self.storage_backend,
            "parallel_limit": self.parallel_limit,
            "rollback_enabled": self.rollback_enabled,
            "retry_policy": self.retry_policy.document(),
            "rollback_strategy": self.rollback_strategy.document(),
            **({"only": list(self.only)} if self.only else {}),
            **({"except": list(self.except_)} if self.except_ else {}),
            "operations": [one.document() for one in self.operations],
            **self.extras,
        }

    def policy_of(self, operation: Operation) -> RetryPolicy:
        """How the items of an operation are tried again."""
        return operation.retry_policy or self.retry_policy


def parse(document: object) -> BatchDefinition:
    """The definition in a decoded JSON value, the value of ``batch_workflow``; raises `InvalidDefinition`."""
    if not isinstance(document, dict):
        raise InvalidDefinition("INVALID_DEFINITION", "batch_workflow: Must be an object")
    _check_size(document)
    problems = Problems()
    made = _batch(Members(document, "", BATCH, problems), problems)
    problems.refuse()
    graph.check(made.operations)
    for name, asked in (("only", made.only), ("except", made.except_)):
        graph.check_known(made.operations, asked, name)
    targets.check(made.operations)
    return made


def _check_size(document: JsonObject) -> None:
    operations = document.get("operations")
    if isinstance(operations, list) and len(operations) > words.MOST_OPERATIONS:
        raise too_many("operations", words.MOST_OPERATIONS, len(operations))
    for name in words.KEPT:
        if (depth := depth_of(document.get(name)) + 1) > words.MOST_DEPTH:
            raise too_many(f"depth of {name}", words.MOST_DEPTH, depth)


def _batch(members: Members, problems: Problems) -> BatchDefinition:
    strategy = members.object("rollback_strategy")
    found = members.list("operations", required=True)
    shared: dict[str, Dependency] = {}
    return BatchDefinition(
        name=members.text("name"),
        version=members.text("version", "1.0.0", most=64),
        storage_backend=members.word("storage_backend", words.BACKENDS, "filesystem"),
        parallel_limit=members.whole("parallel_limit", 5, 1, words.MOST_OPERATIONS),
        rollback_enabled=members.flag("rollback_enabled", True),
        retry_policy=_retry(members, problems) or RetryPolicy(),
        rollback_strategy=_strategy(strategy or {}, problems),
        only=members.names("only", words.ID, words.ID_RULE),
        except_=members.names("except", words.ID, words.ID_RULE),
        extras={name: members.raw(name) for name in words.KEPT if members.raw(name) is not None},
        operations=tuple(
            _operation(one, f"operations[{at}]", problems, shared) for at, one in enumerate(found)
        ),
    )


def _strategy(found: Mapping[str, object], problems: Problems) -> RollbackStrategy:
    members = Members(found, "rollback_strategy", STRATEGY, problems)
    return RollbackStrategy(
        checkpoint_interval=members.whole("checkpoint_interval", 5, 1, words.MOST_OPERATIONS),
        preserve_successful=members.flag("preserve_successful", False),
    )


def _retry(holder: Members, problems: Problems) -> RetryPolicy | None:
    found = holder.object("retry_policy")
    if found is None:
        return None
    members = Members(found, holder.path("retry_policy"), RETRY, problems)
    return RetryPolicy(
        max_attempts=members.whole("max_attempts", 3, 1, 100),
        backoff=members.word("backoff", words.BACKOFFS, "exponential"),
        initial_delay=members.number("initial_delay", 5.0, DAY_S),
        max_delay=members.number("max_delay", 300.0, DAY_S),
    )


_NOTHING = Operation(id="", type="server_batch", provider="local")


def _operation(found: object, path: str, problems: Problems, shared: dict[str, Dependency]) -> Operation:
    if not isinstance(found, dict):
        problems.add(path, "Must be an object")
        return _NOTHING
    kind = found.get("type")
    known = OPERATION.get(kind) if isinstance(kind, str) else None
    members = Members(found, path, known or dict.fromkeys(found), problems)
    _check_words(members, found, problems)
    if known is None:
        return _NOTHING
    makes_servers = kind == "server_batch"
    configs = _servers(members, found, problems) if makes_servers else ()
    installs = any(words.pool_of(one.plan) is not None for one in configs)
    return Operation(
        id=members.match("id", words.ID, words.ID_RULE),
        type=str(kind),
        provider=str(found.get("provider")),
        account=members.match("account", words.ID, words.ID_RULE) if "account" in found else None,
        dependencies=_dependencies(members, found, problems, shared),
        server_configs=configs,
        taskservs=() if makes_servers else members.names("taskservs", words.ID, words.ID_RULE, required=True),
        targets=members.names("targets", words.ID, words.ID_RULE) if "targets" in found else (),
        on_failure=members.word("on_failure", words.POLICIES, "rollback"),
        timeout_s=members.whole("timeout", INSTALLATION_S if installs else TIMEOUT_S, 1, 7 * DAY_S),
        parallel=_parallel(members, found),
        priority=members.whole("priority", 0, -1000, 1000),
        approval=members.flag("approval", False),
        retry_policy=_retry(members, problems) if "retry_policy" in found else None,
    )


def _check_words(members: Members, found: Mapping[str, object], problems: Problems) -> None:
    """Providers and types have codes of their own, so that a program can tell them from a slip."""
    for name, known, code in (
        ("provider", words.PROVIDERS, "UNKNOWN_PROVIDER"),
        ("type", words.OPERATION_TYPES, "UNKNOWN_OPERATION_TYPE"),
    ):
        value = found.get(name)
        if isinstance(value, str) and value not in known:
            path = members.path(name)
            said = f"{path}: {value[:64]!r} is not one of {', '.join(known)}"
            problems.unknown.append(
                InvalidDefinition(code, said, {"field": path, "value": value[:64], "allowed": list(known)})
            )
        elif not isinstance(value, str):
            problems.add(members.path(name), f"Must be one of {', '.join(known)}")
    if found.get("id") in words.RESERVED_IDS:
        problems.add(members.path("id"), "'stats' and 'submit' are paths of the service; choose another id")


def _parallel(members: Members, found: Mapping[str, object]) -> int | None:
    """True means all items at once, false one after another."""
    value = found.get("parallel", True)
    if isinstance(value, bool):
        return None if value else 1
    return members.whole("parallel", 1, 1, words.MOST_ITEMS_OF_OPERATION)


def _dependencies(
    members: Members, found: Mapping[str, object], problems: Problems, shared: dict[str, Dependency]
) -> tuple[Dependency, ...]:
    if "depends_on" in found and "dependencies" in found:
        problems.add(members.path("depends_on"), "Means the same as dependencies; give one of them")
    name = "depends_on" if "depends_on" in found else "dependencies"
    made = []
    for at, one in enumerate(members.list(name)):
        if isinstance(one, str):
            known = shared.get(one)
            if known is None:
                if not words.ID.fullmatch(one):
                    problems.add(f"{members.path(name)}[{at}]", f"Must be {words.ID_RULE}")
                known = shared[one] = Dependency(id=one)  # Most are named by many.
            made.append(known)
        else:
            made.append(_dependency(one, f"{members.path(name)}[{at}]", problems))
    if len({one.id for one in made}) < len(made):
        problems.add(members.path(name), "Names an operation more than once")
    return tuple(made)


def _dependency(found: object, path: str, problems: Problems) -> Dependency:
    if not isinstance(found, dict):
        problems.add(path, "Must be the id of an operation, or an object with id, type and condition")
        return Dependency(id="")
    members = Members(found, path, DEPENDENCY, problems)
    kind = members.word("type", words.DEPENDENCY_TYPES, "hard")
    return Dependency(
        id=members.match("id", words.ID, words.ID_RULE),
        type=kind,
        condition=members.word("condition", words.CONDITIONS, "success" if kind == "hard" else "finished"),
    )


def _servers(members: Members, found: Mapping[str, object], problems: Problems) -> tuple[ServerConfig, ...]:
    listed = members.list("server_configs", required=True)
    path = members.path("server_configs")
    if len(listed) > words.MOST_ITEMS_OF_OPERATION:
        raise too_many(f"items of {path}", words.MOST_ITEMS_OF_OPERATION, len(listed))
    is_local = found.get("provider") == "local"
    return tuple(_server(one, f"{path}[{at}]", problems, is_local) for at, one in enumerate(listed))


def _server(found: object, path: str, problems: Problems, is_local: bool) -> ServerConfig:
    if not isinstance(found, dict):
        problems.add(path, "Must be an object with name, plan and zone")
        return ServerConfig(name="", plan="", zone="")
    members = Members(found, path, SERVER, problems)
    rehearsal = members.object("rehearsal") if "rehearsal" in found else None
    if rehearsal is not None and not is_local:
        problems.add(f"{path}.rehearsal", "Only servers of the provider local play faults")
    plan = members.text("plan")
    pool = words.pool_of(plan)
    if pool is not None and not is_local:
        problems.add(f"{path}.plan", "Only the provider local has servers of pools")
    if pool == "":
        problems.add(f"{path}.plan", f"Must name a pool after {words.POOL}")
    if pool is not None and rehearsal is not None:
        problems.add(f"{path}.rehearsal", "A server of a pool plays no faults")
    return ServerConfig(
        name=members.match("name", words.ID, words.ID_RULE),
        plan=plan,
        zone=members.text("zone", most=64),
        rehearsal=None if rehearsal is None else _rehearsal(rehearsal, f"{path}.rehearsal", problems),
        image=_image(members, path, problems, from_pool=pool is not None),
    )


def _image(holder: Members, path: str, problems: Problems, *, from_pool: bool) -> Image | None:
    """What a server of a pool is installed with; it cannot be left out there, nor be given elsewhere."""
    found = holder.object("image")
    if found is None:
        if from_pool:
            problems.add(
                f"{path}.image", "Is missing. A server of a pool is installed: give an object with url"
            )
        return None
    if not from_pool:
        problems.add(f"{path}.image", f"Only a server of a pool, plan {words.POOL}NAME, takes an image")
    members = Members(found, f"{path}.image", IMAGE, problems)
    return Image(
        url=members.match("url", words.URL, words.URL_RULE),
        checksum=members.text("checksum", most=512) if "checksum" in found else None,
        checksum_type=_word(members, found, "checksum_type", words.CHECKSUMS),
        format=_word(members, found, "format", words.IMAGE_FORMATS),
    )


def _word(members: Members, found: Mapping[str, object], name: str, known: tuple[str, ...]) -> str | None:
    return members.word(name, known, known[0]) if name in found else None


def _rehearsal(found: Mapping[str, object], path: str, problems: Problems) -> Rehearsal:
    members = Members(found, path, REHEARSAL, problems)
    return Rehearsal(
        delay_seconds=members.number("delay_seconds", 0.0, DAY_S),
        fail_attempts=members.whole("fail_attempts", 0, 0, 1000),
        permanent=members.flag("permanent", False),
        lost_answers=members.whole("lost_answers", 0, 0, 1000),
        undo_fail_attempts=members.whole("undo_fail_attempts", 0, 0, 1000),
    )
