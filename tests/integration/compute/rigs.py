"""Clouds on which every driver of servers has to behave alike."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from app.lab.clouds import Clouds
from app.lab.clouds.ec2 import ACCESS_KEY, REGION, SECRET_KEY
from app.lab.clouds.faults import Faults
from app.lab.clouds.upcloud import PASSWORD, USERNAME
from app.providers.compute import Access, Compute, connect
from app.providers.compute.memory import Cloud


@dataclass(frozen=True, kw_only=True)
class Rig:
    """One account of a cloud; ``small`` is one of its plans and ``here`` one of its zones."""

    compute: Compute
    break_: Callable[[str], None]  # A fault of `app.providers.compute.memory`; an empty one mends all.
    there: Callable[[], int]  # Machines that somebody pays for.


@contextmanager
def in_memory() -> Iterator[Rig]:
    """The driver in memory."""
    cloud = Cloud()
    access = Access(provider="memory", plans={"small": "1xCPU-2GB"}, zones={"here": "fi-hel1"})

    def break_(fault: str) -> None:
        cloud.faults = {fault} if fault else set()  # type: ignore[arg-type]
        cloud.unlisted &= set(cloud.machines) if fault else set()

    yield Rig(compute=cloud.compute(access), break_=break_, there=lambda: len(cloud.machines))


def upcloud_access(lab: Clouds) -> Access:
    """The lab's account at UpCloud."""
    return Access(
        provider="upcloud",
        endpoint=lab.upcloud_url,
        credentials={"username": USERNAME, "password": PASSWORD},
        plans={"small": "1xCPU-2 GB"},
        zones={"here": "fi-hel1"},
    )


def aws_access(lab: Clouds) -> Access:
    """The lab's account at AWS."""
    return Access(
        provider="aws",
        endpoint=lab.ec2_url,
        region=REGION,
        credentials={"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY},
        plans={"small": "t3.micro"},
        zones={"here": f"{REGION}a"},
    )


@contextmanager
def doubled(name: str, access: Callable[[Clouds], Access]) -> Iterator[Rig]:
    """A driver on its double in the lab."""
    with Clouds() as lab:
        cloud = lab.clouds[name]

        def break_(fault: str) -> None:
            cloud.active_faults.current = Faults.from_json(FAULTS.get(fault, {}))

        yield Rig(compute=connect(access(lab)), break_=break_, there=lambda: len(cloud.living()))


FAULTS: Mapping[str, Mapping[str, Any]] = {
    "dead": {"dead": True},
    "drop": {"drop": "answer"},
    "throttle": {"throttle": 1, "retryAfter": 1},
    "noCapacity": {"noCapacity": ["fi-hel1", f"{REGION}a"]},
    "quota": {"quota": 0},
    "badAuth": {"badAuth": True},
    "late": {"late": 3600},
    "stuck": {"stuck": True},
    "lies": {"lies": True},
    "twins": {"twins": True},
    "html": {"html": True},
}


RIGS: dict[str, Callable[[], AbstractContextManager[Rig]]] = {
    "memory": in_memory,
    "upcloud": lambda: doubled("upcloud", upcloud_access),
    "aws": lambda: doubled("aws", aws_access),
}
