"""Clouds on which every driver of servers has to behave alike."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from app.providers.compute import Access, Compute
from app.providers.compute.memory import Cloud


@dataclass(frozen=True, kw_only=True)
class Rig:
    """One account of a cloud; ``small`` is one of its plans and ``here`` one of its zones."""

    compute: Compute
    break_: Callable[[str], None]  # A fault of `app.providers.compute.memory`; an empty one mends all.
    there: Callable[[], int]  # Machines that somebody pays for.


@contextmanager
def in_memory() -> Iterator[Rig]:
    """The twin."""
    cloud = Cloud()
    access = Access(provider="memory", plans={"small": "1xCPU-2GB"}, zones={"here": "fi-hel1"})

    def break_(fault: str) -> None:
        cloud.faults = {fault} if fault else set()  # type: ignore[arg-type]
        cloud.unlisted &= set(cloud.machines) if fault else set()

    yield Rig(compute=cloud.compute(access), break_=break_, there=lambda: len(cloud.machines))


RIGS: dict[str, Callable[[], AbstractContextManager[Rig]]] = {"memory": in_memory}
