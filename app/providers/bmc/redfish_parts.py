"""What a Redfish service tells about the machine: identity, firmware, sensors, inventory.

Every part is optional in the standard; what is absent is named with a reason instead of failing the whole.
"""

from collections.abc import Callable, Iterable
from typing import Any

from sushy.exceptions import ConnectionError as LostConnection
from sushy.exceptions import HTTPError, SushyError

from app.providers.bmc import plain_values
from app.providers.bmc.redfish_session import NONSENSE, Visit
from app.providers.bmc.target import Identity

Part = list[dict[str, object]]
MEMBERS = 64  # No collection of one machine is read further than this.


class Absent(LookupError):
    """The service has no link to this part."""


def identity(here: Visit) -> Identity:
    """The machine's names, and its manager's firmware."""
    system = here.system()
    manager = _first(here, "Managers")
    found = Identity(
        vendor=system.manufacturer,
        product=system.model,
        device_id=system.identity,
        firmware=manager.get("FirmwareVersion"),
        guid=str(system.uuid).upper() if system.uuid else None,
        serial=system.serial_number,
    )
    return plain_values.identity(found)


def read(here: Visit) -> dict[str, object]:
    """``{"firmware": [...], "sensors": [...], "inventory": [...], "unavailable": [{"part", "reason"}]}``."""
    parts: dict[str, tuple[Callable[[Visit], Part], ...]] = {
        "firmware": (firmware,),
        "sensors": (temperatures,),
        "inventory": (processors, memory, networks),
    }
    found: dict[str, Any] = {part: [] for part in parts} | {"unavailable": []}
    for part, readers in parts.items():
        for reader in readers:
            try:
                found[part] += reader(here)
            except LostConnection:
                raise
            except (SushyError, *NONSENSE) as error:
                found["unavailable"].append({"part": f"{part}: {reader.__name__}", "reason": _reason(error)})
    return found


def firmware(here: Visit) -> Part:
    """The manager's firmware and the machine's BIOS, as far as they are told."""
    versions = {"BMC": _first(here, "Managers").get("FirmwareVersion"), "BIOS": here.system().bios_version}
    found = [{"name": name, "version": version} for name, version in versions.items() if version]
    if not found:
        raise Absent("neither the manager nor the system tells a version")
    return found


def temperatures(here: Visit) -> Part:
    """Temperatures and fans of the first chassis, wherever its controller has them."""
    chassis = _first(here, "Chassis")
    if "Thermal" not in chassis and "ThermalSubsystem" in chassis:
        return _subsystem(here, here.read(_link(chassis, "ThermalSubsystem")))
    thermal = here.read(_link(chassis, "Thermal"))
    units = {"Temperatures": ("ReadingCelsius", "°C"), "Fans": ("Reading", "RPM")}
    return [
        {
            "name": each.get("Name") or each.get("FanName"),
            "type": "Temperature" if kind == "Temperatures" else "Fan",
            "value": each.get(value),
            "units": each.get("ReadingUnits") or unit,
            "health": str((each.get("Status") or {}).get("Health") or "unknown").lower(),
        }
        for kind, (value, unit) in units.items()
        for each in (thermal.get(kind) or [])[:MEMBERS]
    ]


def _subsystem(here: Visit, thermal: dict[str, object]) -> Part:
    """The same of a newer controller: excerpts of sensors, and one resource for each fan."""
    metrics = here.read(_link(thermal, "ThermalMetrics")) if "ThermalMetrics" in thermal else {}
    found = [
        {
            "name": each.get("DeviceName") or str(each.get("DataSourceUri") or "").rpartition("/")[2],
            "type": "Temperature",
            "value": each.get("Reading"),
            "units": "°C",
            "health": "unknown",
        }
        for each in (metrics.get("TemperatureReadingsCelsius") or [])[:MEMBERS]
    ]
    for fan in _members(here, _link(thermal, "Fans")) if "Fans" in thermal else ():
        speed = fan.get("SpeedPercent") or {}
        rpm = speed.get("SpeedRPM")
        found.append(
            {
                "name": fan.get("Name"),
                "type": "Fan",
                "value": speed.get("Reading") if rpm is None else rpm,
                "units": "%" if rpm is None else "RPM",
                "health": str((fan.get("Status") or {}).get("Health") or "unknown").lower(),
            }
        )
    return found


def processors(here: Visit) -> Part:
    """One row for each processor."""
    return [
        {
            "name": cpu.get("Id"),
            "kind": "processor",
            "model": cpu.get("Model"),
            "cores": cpu.get("TotalCores"),
        }
        for cpu in _members(here, _link(here.system().json, "Processors"))
    ]


def memory(here: Visit) -> Part:
    """The total alone: modules cost a request each, and nobody asked for them yet."""
    size = (here.system().json.get("MemorySummary") or {}).get("TotalSystemMemoryGiB")
    if size is None:
        raise Absent("the system tells no size")
    return [{"name": "Memory", "kind": "memory", "sizeGiB": size}]


def networks(here: Visit) -> Part:
    """One row for each network interface."""
    return [
        {
            "name": nic.get("Id"),
            "kind": "network",
            "mac": nic.get("MACAddress"),
            "speedMbps": nic.get("SpeedMbps"),
        }
        for nic in _members(here, _link(here.system().json, "EthernetInterfaces"))
    ]


def _link(resource: dict[str, Any], name: str) -> str:
    try:
        return str(resource[name]["@odata.id"])
    except (LookupError, TypeError) as error:
        raise Absent(f"no link {name}") from error


def _members(here: Visit, path: str) -> Iterable[dict[str, Any]]:
    listed = here.read(path).get("Members") or []
    return [here.read(str(member["@odata.id"])) for member in listed[:MEMBERS]]


def _first(here: Visit, collection: str) -> dict[str, Any]:
    """The first manager or chassis; nothing where the service has none."""
    try:
        listed = here.read(_link(here.root.json, collection)).get("Members") or []
        return here.read(str(listed[0]["@odata.id"])) if listed else {}
    except (Absent, HTTPError):
        return {}


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"HTTP {error.status_code}"
    return str(error)[:200] if isinstance(error, Absent) else type(error).__name__
