"""Which of the systems behind a Redfish controller is the machine.

A controller may list more than the host: baseboards of accelerators, partitions, systems in the making. Those
cannot be switched on or given a boot device; the machine can. Whoever has several machines names one.
"""

from collections.abc import Sequence
from typing import Any

from sushy import exceptions as sushy_errors

MOST = 16  # No more systems than this are looked at.
RESET = "#ComputerSystem.Reset"


class Undecided(LookupError):
    """It cannot be told which system is the machine; the message says what there is."""


def machine_among(root: Any, paths: Sequence[str], wanted: str | None) -> object:
    """The system that is meant; one that answers an error does not decide for the others."""
    if wanted is not None:
        return root.get_system(_named(paths, wanted))
    if len(paths) == 1:
        return root.get_system(paths[0])
    found, trouble = _read(root, paths[:MOST])
    for fits in (_is_host, _can_be_reset):
        fitting = [one for one in found if fits(one)]
        if len(fitting) == 1 and (fits is _is_host or trouble is None):
            return fitting[0]
        if fitting:
            raise Undecided(
                f"{len(fitting)} systems can be switched; name one of {_names(paths)} as systemId"
            )
    if trouble is not None:
        raise trouble
    raise Undecided(f"none of its {len(paths)} systems can be switched on and off ({_names(paths)})")


def _read(root: Any, paths: Sequence[str]) -> tuple[list[object], Exception | None]:
    """The systems that can be read, and why another one could not be."""
    found, trouble = [], None
    for path in paths:
        try:
            found.append(root.get_system(path))
        except sushy_errors.ConnectionError:
            raise
        except sushy_errors.SushyError as error:
            trouble = error
    return found, trouble


def _named(paths: Sequence[str], wanted: str) -> str:
    for path in paths:
        if _name(path) == wanted:
            return path
    raise Undecided(f"it has no system {wanted!a}; it has {_names(paths)}")


def _is_host(system: Any) -> bool:
    return _can_be_reset(system) and isinstance(system.json.get("Boot"), dict)


def _can_be_reset(system: Any) -> bool:
    return RESET in (system.json.get("Actions") or {})


def _names(paths: Sequence[str]) -> str:
    return ", ".join(_name(path) for path in paths[:MOST]) or "none"


def _name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
