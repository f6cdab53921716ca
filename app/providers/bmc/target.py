"""The values of the BMC capability: where to go, who answered, and the words for states and devices."""

from dataclasses import dataclass, field
from typing import Literal

PowerState = Literal["on", "off"]

BOOT_DEVICES = ("network", "disk", "cdrom", "bios", "default")


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a controller listens, and as whom to log in."""

    protocol: Literal["ipmi", "redfish"]
    host: str
    port: int  # IPMI listens on UDP 623, Redfish on TCP 443.
    username: str
    password: str = field(repr=False)
    verify: str | None = None  # SHA-256 of the pinned certificate; None asks the system's authorities.
    system: str | None = None  # Id of the machine among several systems; None when it can be told.

    @property
    def address(self) -> str:
        """How messages name this controller."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who answered; None where the controller does not say."""

    vendor: str | None = None
    product: str | None = None
    device_id: str | None = None
    firmware: str | None = None  # Version of the controller's own firmware.
    guid: str | None = None  # The system's UUID, upper case with hyphens.
    serial: str | None = None


def took(found: tuple[str, bool], wanted: tuple[str, bool]) -> bool:
    """Whether a boot device read back is the one ordered.

    Some controllers know only lasting choices, so one that stays longer than ordered counts; one that lasts
    shorter does not. The default is no choice at all, and has nothing that could stay.
    """
    (device, stays), (ordered, stay) = found, wanted
    return device == ordered and (stays or not stay or ordered == "default")
