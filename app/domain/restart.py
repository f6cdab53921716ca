"""Where a retry may begin (contracts/runs.rst#cancel-and-retry)."""

from collections.abc import Collection, Mapping, Sequence

from app.domain.errors import InvalidStateTransition, ValidationFailed


def back_to(wanted: str, keys: Sequence[str], titles: Mapping[str, str], begin: str | None) -> str:
    """The step at which a repetition of the wanted one has to begin: the nearest one before it called so.

    An installation that failed is not repeated by waiting for it: the machine has to boot again.
    """
    before = keys[: keys.index(wanted)] if begin is not None and wanted in keys else []
    return next((key for key in reversed(before) if titles[key] == begin), wanted)


def begin_at(wanted: str, keys: Sequence[str], gone: Collection[str]) -> str:
    """The wanted step, when everything before it stands.

    ``keys`` are the steps in order, ``gone`` those that did not complete or were undone. Raises what a client
    needs in order to choose another one.
    """
    if wanted not in keys:
        raise ValidationFailed.of("fromStep", f"{wanted!r} is not a step of this run: {', '.join(keys)}")
    blocking = [key for key in keys[: keys.index(wanted)] if key in gone]
    if blocking:
        undone = "was undone" if len(blocking) == 1 else "were undone"
        raise InvalidStateTransition(
            f"{_named(blocking)} before {wanted} did not complete, or {undone};"
            f" the earliest step possible is {blocking[0]}",
            blockingSteps=blocking,
            earliestStep=blocking[0],
        )
    return wanted


def _named(keys: Sequence[str]) -> str:
    return keys[0] if len(keys) == 1 else f"the {len(keys)} steps {', '.join(keys[:-1])} and {keys[-1]}"
