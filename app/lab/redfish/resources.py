"""What the Redfish service shows: one function per resource, from the machine to JSON."""

from collections.abc import Callable
from typing import Any

from app.lab.hardware import CELSIUS, RPM, SENSORS, WATT, Sensor
from app.lab.machine import Machine

Resource = dict[str, Any]

ROOT = "/redfish/v1"
SYSTEM = f"{ROOT}/Systems/1"
CHASSIS = f"{ROOT}/Chassis/1"
MANAGER = f"{ROOT}/Managers/1"
SESSIONS = f"{ROOT}/SessionService/Sessions"
FIRMWARE = f"{ROOT}/UpdateService/FirmwareInventory"

# Redfish names of the boot devices (ComputerSystem BootSource).
TARGETS = {
    "default": "None",
    "network": "Pxe",
    "disk": "Hdd",
    "cd": "Cd",
    "usb": "Usb",
    "setup": "BiosSetup",
    "diag": "Diags",
    "floppy": "Floppy",
    "http": "UefiHttp",
}

# Reset types and the machine's commands for them.
RESETS = {
    "On": "on",
    "ForceOn": "on",
    "ForceOff": "off",
    "GracefulShutdown": "soft",
    "GracefulRestart": "reset",
    "ForceRestart": "reset",
    "PowerCycle": "cycle",
    "Nmi": "diag",
}

_WELL = {"State": "Enabled", "Health": "OK"}


def _link(path: str) -> Resource:
    return {"@odata.id": path}


def _resource(path: str, kind: str, name: str, **fields: Any) -> Resource:
    identity = path.rsplit("/", 1)[1]
    return {"@odata.id": path, "@odata.type": f"#{kind}", "Id": identity, "Name": name, **fields}


def _collection(path: str, kind: str, members: list[str]) -> Resource:
    links = [_link(member) for member in members]
    fields = {"Members@odata.count": len(links), "Members": links}
    return _resource(path, f"{kind}Collection.{kind}Collection", f"{kind} Collection", **fields)


def _action(target: str, kinds: list[str]) -> Resource:
    return {"target": target, "ResetType@Redfish.AllowableValues": kinds}


def _root(machine: Machine) -> Resource:
    return _resource(
        ROOT,
        "ServiceRoot.v1_15_0.ServiceRoot",
        "Root Service",
        RedfishVersion="1.15.0",
        UUID=str(machine.hardware.uuid),
        Vendor=machine.hardware.manufacturer,
        Systems=_link(f"{ROOT}/Systems"),
        Chassis=_link(f"{ROOT}/Chassis"),
        Managers=_link(f"{ROOT}/Managers"),
        SessionService=_link(f"{ROOT}/SessionService"),
        UpdateService=_link(f"{ROOT}/UpdateService"),
        Links={"Sessions": _link(SESSIONS)},
    )


def _boot(machine: Machine) -> Resource:
    boot = machine.boot
    enabled = "Disabled" if boot.device == "default" else "Once" if boot.once else "Continuous"
    return {
        "BootSourceOverrideEnabled": enabled,
        "BootSourceOverrideTarget": TARGETS.get(boot.device, "None"),
        "BootSourceOverrideMode": "UEFI" if boot.uefi else "Legacy",
        "BootSourceOverrideTarget@Redfish.AllowableValues": list(TARGETS.values()),
    }


def _system(machine: Machine) -> Resource:
    parts = machine.hardware
    reset = _action(f"{SYSTEM}/Actions/ComputerSystem.Reset", list(RESETS))
    return _resource(
        SYSTEM,
        "ComputerSystem.v1_20_0.ComputerSystem",
        machine.id,
        SystemType="Physical",
        Manufacturer=parts.manufacturer,
        Model=parts.model,
        PartNumber=parts.part_number,
        SKU=parts.part_number,
        SerialNumber=parts.serial,
        UUID=str(parts.uuid),
        BiosVersion=parts.bios_version,
        PowerState="On" if machine.reports_on() else "Off",
        Status={**_WELL, "HealthRollup": "OK"},
        Boot=_boot(machine),
        ProcessorSummary={"Count": parts.cpus, "Model": parts.cpu_model, "Status": _WELL},
        MemorySummary={"TotalSystemMemoryGiB": parts.memory_gib, "Status": _WELL},
        Processors=_link(f"{SYSTEM}/Processors"),
        EthernetInterfaces=_link(f"{SYSTEM}/EthernetInterfaces"),
        Links={"Chassis": [_link(CHASSIS)], "ManagedBy": [_link(MANAGER)]},
        Actions={"#ComputerSystem.Reset": reset},
    )


def _processor(machine: Machine, number: int) -> Resource:
    cores = machine.hardware.cores_per_cpu
    return _resource(
        f"{SYSTEM}/Processors/{number}",
        "Processor.v1_16_0.Processor",
        f"CPU {number}",
        ProcessorType="CPU",
        ProcessorArchitecture="x86",
        Model=machine.hardware.cpu_model,
        TotalCores=cores,
        TotalThreads=cores * 2,
        Status=_WELL,
    )


def _ethernet(machine: Machine) -> Resource:
    return _resource(
        f"{SYSTEM}/EthernetInterfaces/1",
        "EthernetInterface.v1_9_0.EthernetInterface",
        "NIC 1",
        MACAddress=machine.hardware.mac,
        PermanentMACAddress=machine.hardware.mac,
        SpeedMbps=10000,
        Status=_WELL,
    )


def _chassis(machine: Machine) -> Resource:
    parts = machine.hardware
    return _resource(
        CHASSIS,
        "Chassis.v1_21_0.Chassis",
        "Chassis",
        ChassisType="RackMount",
        Manufacturer=parts.manufacturer,
        Model=parts.model,
        SerialNumber=parts.serial,
        PowerState="On" if machine.reports_on() else "Off",
        Status=_WELL,
        Thermal=_link(f"{CHASSIS}/Thermal"),
        Power=_link(f"{CHASSIS}/Power"),
        Links={"ComputerSystems": [_link(SYSTEM)], "ManagedBy": [_link(MANAGER)]},
    )


def _measured(machine: Machine, unit: int) -> list[tuple[Sensor, int | None]]:
    """The sensors of one unit with what they read; nothing while the machine is off."""
    return [
        (sensor, sensor.value if machine.on or sensor.while_off else None)
        for sensor in SENSORS
        if sensor.unit == unit
    ]


def _thermal(machine: Machine) -> Resource:
    path = f"{CHASSIS}/Thermal"
    temperatures = [
        {
            "@odata.id": f"{path}#/Temperatures/{index}",
            "MemberId": str(index),
            "Name": sensor.name,
            "ReadingCelsius": value,
            "UpperThresholdNonCritical": sensor.warning,
            "UpperThresholdCritical": sensor.critical,
            "Status": _WELL if value is not None else {"State": "Disabled"},
        }
        for index, (sensor, value) in enumerate(_measured(machine, CELSIUS))
    ]
    fans = [
        {
            "@odata.id": f"{path}#/Fans/{index}",
            "MemberId": str(index),
            "Name": sensor.name,
            "Reading": value,
            "ReadingUnits": "RPM",
            "Status": _WELL if value is not None else {"State": "Disabled"},
        }
        for index, (sensor, value) in enumerate(_measured(machine, RPM))
    ]
    return _resource(path, "Thermal.v1_7_0.Thermal", "Thermal", Temperatures=temperatures, Fans=fans)


def _power(machine: Machine) -> Resource:
    path = f"{CHASSIS}/Power"
    controls = [
        {
            "@odata.id": f"{path}#/PowerControl/{index}",
            "MemberId": str(index),
            "Name": sensor.name,
            "PowerConsumedWatts": value or 0,
            "Status": _WELL,
        }
        for index, (sensor, value) in enumerate(_measured(machine, WATT))
    ]
    fields: Resource = {"PowerControl": controls, "Voltages": [], "PowerSupplies": []}
    return _resource(path, "Power.v1_7_0.Power", "Power", **fields)


def _manager(machine: Machine) -> Resource:
    reset = _action(f"{MANAGER}/Actions/Manager.Reset", ["ForceRestart"])
    return _resource(
        MANAGER,
        "Manager.v1_16_0.Manager",
        "BMC",
        ManagerType="BMC",
        FirmwareVersion=machine.hardware.firmware_version,
        UUID=str(machine.hardware.uuid),
        Model="Capstan BMC",
        PowerState="On",
        Status=_WELL,
        Links={"ManagerForServers": [_link(SYSTEM)], "ManagerForChassis": [_link(CHASSIS)]},
        Actions={"#Manager.Reset": reset},
    )


def _session_service(machine: Machine) -> Resource:
    return _resource(
        f"{ROOT}/SessionService",
        "SessionService.v1_1_8.SessionService",
        "Session Service",
        ServiceEnabled=True,
        SessionTimeout=300,
        Sessions=_link(SESSIONS),
        Status=_WELL,
    )


def _update_service(machine: Machine) -> Resource:
    return _resource(
        f"{ROOT}/UpdateService",
        "UpdateService.v1_11_0.UpdateService",
        "Update Service",
        ServiceEnabled=False,
        FirmwareInventory=_link(FIRMWARE),
        Actions={},
        Status=_WELL,
    )


def _software(machine: Machine, name: str, version: str) -> Resource:
    path = f"{FIRMWARE}/{name}"
    fields = {"Version": version, "Updateable": False, "Status": _WELL}
    return _resource(path, "SoftwareInventory.v1_8_0.SoftwareInventory", name, **fields)


def session(number: str, user: str) -> Resource:
    """One session of the session service."""
    return _resource(f"{SESSIONS}/{number}", "Session.v1_5_0.Session", "User Session", UserName=user)


def sessions(numbers: list[str]) -> Resource:
    """The collection of sessions."""
    return _collection(SESSIONS, "Session", [f"{SESSIONS}/{number}" for number in numbers])


# Everything that a GET shows, by path without a trailing slash.
RESOURCES: dict[str, Callable[[Machine], Resource]] = {
    "/redfish": lambda machine: {"v1": f"{ROOT}/"},
    ROOT: _root,
    f"{ROOT}/Systems": lambda machine: _collection(f"{ROOT}/Systems", "ComputerSystem", [SYSTEM]),
    SYSTEM: _system,
    f"{SYSTEM}/Processors": lambda machine: _collection(
        f"{SYSTEM}/Processors",
        "Processor",
        [f"{SYSTEM}/Processors/{number + 1}" for number in range(machine.hardware.cpus)],
    ),
    f"{SYSTEM}/Processors/1": lambda machine: _processor(machine, 1),
    f"{SYSTEM}/Processors/2": lambda machine: _processor(machine, 2),
    f"{SYSTEM}/EthernetInterfaces": lambda machine: _collection(
        f"{SYSTEM}/EthernetInterfaces", "EthernetInterface", [f"{SYSTEM}/EthernetInterfaces/1"]
    ),
    f"{SYSTEM}/EthernetInterfaces/1": _ethernet,
    f"{ROOT}/Chassis": lambda machine: _collection(f"{ROOT}/Chassis", "Chassis", [CHASSIS]),
    CHASSIS: _chassis,
    f"{CHASSIS}/Thermal": _thermal,
    f"{CHASSIS}/Power": _power,
    f"{ROOT}/Managers": lambda machine: _collection(f"{ROOT}/Managers", "Manager", [MANAGER]),
    MANAGER: _manager,
    f"{ROOT}/SessionService": _session_service,
    f"{ROOT}/UpdateService": _update_service,
    FIRMWARE: lambda machine: _collection(
        FIRMWARE, "SoftwareInventory", [f"{FIRMWARE}/BMC", f"{FIRMWARE}/BIOS"]
    ),
    f"{FIRMWARE}/BMC": lambda machine: _software(machine, "BMC", machine.hardware.firmware_version),
    f"{FIRMWARE}/BIOS": lambda machine: _software(machine, "BIOS", machine.hardware.bios_version),
}
