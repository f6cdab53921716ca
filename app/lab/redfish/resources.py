"""What the Redfish service shows: one function per resource, from the machine to JSON."""

from collections.abc import Callable

from app.lab.machine import Machine
from app.lab.redfish.sensors import SUBSYSTEM, THERMAL, power, thermal
from app.lab.redfish.shape import CHASSIS, ROOT, WELL, Resource, collection, link, resource

SYSTEM = f"{ROOT}/Systems/1"
BASEBOARD = f"{ROOT}/Systems/HGX_Baseboard_0"  # There while the machine has a second system.
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


def _action(target: str, kinds: list[str]) -> Resource:
    return {"target": target, "ResetType@Redfish.AllowableValues": kinds}


def _root(machine: Machine) -> Resource:
    return resource(
        ROOT,
        "ServiceRoot.v1_15_0.ServiceRoot",
        "Root Service",
        RedfishVersion="1.15.0",
        UUID=str(machine.hardware.uuid),
        Vendor=machine.hardware.manufacturer,
        Systems=link(f"{ROOT}/Systems"),
        Chassis=link(f"{ROOT}/Chassis"),
        Managers=link(f"{ROOT}/Managers"),
        SessionService=link(f"{ROOT}/SessionService"),
        UpdateService=link(f"{ROOT}/UpdateService"),
        Links={"Sessions": link(SESSIONS)},
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
    return resource(
        SYSTEM,
        "ComputerSystem.v1_20_0.ComputerSystem",
        machine.id,
        SystemType="Physical",
        Manufacturer=parts.manufacturer,
        Model=parts.model,
        PartNumber=parts.part_number,
        SKU=parts.part_number,
        SerialNumber=parts.serial + ("\0" * 3 if machine.active_faults.current.padded else ""),
        UUID=str(parts.uuid),
        BiosVersion=parts.bios_version,
        PowerState=_power_word(machine),
        Status={**WELL, "HealthRollup": "OK"},
        Boot=_boot(machine),
        ProcessorSummary={"Count": parts.cpus, "Model": parts.cpu_model, "Status": WELL},
        MemorySummary={"TotalSystemMemoryGiB": parts.memory_gib, "Status": WELL},
        Processors=link(f"{SYSTEM}/Processors"),
        EthernetInterfaces=link(f"{SYSTEM}/EthernetInterfaces"),
        Links={"Chassis": [link(CHASSIS)], "ManagedBy": [link(MANAGER)]},
        Actions={"#ComputerSystem.Reset": reset},
    )


def _power_word(machine: Machine) -> str:
    if machine.active_faults.current.power_word:
        return machine.active_faults.current.power_word
    if machine.becoming is not None:
        return "PoweringOn" if machine.becoming else "PoweringOff"
    return "On" if machine.reports_on() else "Off"


def _baseboard(machine: Machine) -> Resource:
    """A system that cannot be switched or booted: accelerators beside the host."""
    return resource(
        BASEBOARD,
        "ComputerSystem.v1_20_0.ComputerSystem",
        "HGX Baseboard",
        SystemType="Physical",
        Manufacturer=machine.hardware.manufacturer,
        SerialNumber=f"G-{machine.hardware.serial}",
        PowerState="On" if machine.on else "Off",
        Status=WELL,
    )


def _systems(machine: Machine) -> Resource:
    more = [BASEBOARD] if machine.active_faults.current.systems else []
    return collection(f"{ROOT}/Systems", "ComputerSystem", [*more, SYSTEM])


def _processor(machine: Machine, number: int) -> Resource:
    cores = machine.hardware.cores_per_cpu
    return resource(
        f"{SYSTEM}/Processors/{number}",
        "Processor.v1_16_0.Processor",
        f"CPU {number}",
        ProcessorType="CPU",
        ProcessorArchitecture="x86",
        Model=machine.hardware.cpu_model,
        TotalCores=cores,
        TotalThreads=cores * 2,
        Status=WELL,
    )


def _ethernet(machine: Machine) -> Resource:
    return resource(
        f"{SYSTEM}/EthernetInterfaces/1",
        "EthernetInterface.v1_9_0.EthernetInterface",
        "NIC 1",
        MACAddress=machine.hardware.mac,
        PermanentMACAddress=machine.hardware.mac,
        SpeedMbps=10000,
        Status=WELL,
    )


def _chassis(machine: Machine) -> Resource:
    parts, thermal_link = machine.hardware, THERMAL[machine.active_faults.current.thermal]
    return resource(
        CHASSIS,
        "Chassis.v1_21_0.Chassis",
        "Chassis",
        ChassisType="RackMount",
        Manufacturer=parts.manufacturer,
        Model=parts.model,
        SerialNumber=parts.serial,
        PowerState="On" if machine.reports_on() else "Off",
        Status=WELL,
        **{thermal_link: link(f"{CHASSIS}/{thermal_link}")},
        Power=link(f"{CHASSIS}/Power"),
        Links={"ComputerSystems": [link(SYSTEM)], "ManagedBy": [link(MANAGER)]},
    )


def _manager(machine: Machine) -> Resource:
    reset = _action(f"{MANAGER}/Actions/Manager.Reset", ["ForceRestart"])
    return resource(
        MANAGER,
        "Manager.v1_16_0.Manager",
        "BMC",
        ManagerType="BMC",
        FirmwareVersion=machine.hardware.firmware_version,
        UUID=str(machine.hardware.uuid),
        Model="Capstan BMC",
        PowerState="On",
        Status=WELL,
        Links={"ManagerForServers": [link(SYSTEM)], "ManagerForChassis": [link(CHASSIS)]},
        Actions={"#Manager.Reset": reset},
    )


def _session_service(machine: Machine) -> Resource:
    return resource(
        f"{ROOT}/SessionService",
        "SessionService.v1_1_8.SessionService",
        "Session Service",
        ServiceEnabled=True,
        SessionTimeout=300,
        Sessions=link(SESSIONS),
        Status=WELL,
    )


def _update_service(machine: Machine) -> Resource:
    return resource(
        f"{ROOT}/UpdateService",
        "UpdateService.v1_11_0.UpdateService",
        "Update Service",
        ServiceEnabled=False,
        FirmwareInventory=link(FIRMWARE),
        Actions={},
        Status=WELL,
    )


def _software(machine: Machine, name: str, version: str) -> Resource:
    path = f"{FIRMWARE}/{name}"
    fields = {"Version": version, "Updateable": False, "Status": WELL}
    return resource(path, "SoftwareInventory.v1_8_0.SoftwareInventory", name, **fields)


def session(number: str, user: str) -> Resource:
    """One session of the session service."""
    return resource(f"{SESSIONS}/{number}", "Session.v1_5_0.Session", "User Session", UserName=user)


def sessions(numbers: list[str]) -> Resource:
    """The collection of sessions."""
    return collection(SESSIONS, "Session", [f"{SESSIONS}/{number}" for number in numbers])


# Everything that a GET shows, by path without a trailing slash.
RESOURCES: dict[str, Callable[[Machine], Resource]] = {
    "/redfish": lambda machine: {"v1": f"{ROOT}/"},
    ROOT: _root,
    f"{ROOT}/Systems": _systems,
    BASEBOARD: _baseboard,
    SYSTEM: _system,
    f"{SYSTEM}/Processors": lambda machine: collection(
        f"{SYSTEM}/Processors",
        "Processor",
        [f"{SYSTEM}/Processors/{number + 1}" for number in range(machine.hardware.cpus)],
    ),
    f"{SYSTEM}/Processors/1": lambda machine: _processor(machine, 1),
    f"{SYSTEM}/Processors/2": lambda machine: _processor(machine, 2),
    f"{SYSTEM}/EthernetInterfaces": lambda machine: collection(
        f"{SYSTEM}/EthernetInterfaces", "EthernetInterface", [f"{SYSTEM}/EthernetInterfaces/1"]
    ),
    f"{SYSTEM}/EthernetInterfaces/1": _ethernet,
    f"{ROOT}/Chassis": lambda machine: collection(f"{ROOT}/Chassis", "Chassis", [CHASSIS]),
    CHASSIS: _chassis,
    f"{CHASSIS}/Thermal": thermal,
    **SUBSYSTEM,
    f"{CHASSIS}/Power": power,
    f"{ROOT}/Managers": lambda machine: collection(f"{ROOT}/Managers", "Manager", [MANAGER]),
    MANAGER: _manager,
    f"{ROOT}/SessionService": _session_service,
    f"{ROOT}/UpdateService": _update_service,
    FIRMWARE: lambda machine: collection(
        FIRMWARE, "SoftwareInventory", [f"{FIRMWARE}/BMC", f"{FIRMWARE}/BIOS"]
    ),
    f"{FIRMWARE}/BMC": lambda machine: _software(machine, "BMC", machine.hardware.firmware_version),
    f"{FIRMWARE}/BIOS": lambda machine: _software(machine, "BIOS", machine.hardware.bios_version),
}
