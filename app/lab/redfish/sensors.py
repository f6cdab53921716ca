"""The sensors of a machine as Redfish shows them."""

from collections.abc import Callable
from functools import partial

from app.lab.hardware import CELSIUS, RPM, SENSORS, WATT, Sensor
from app.lab.machine import Machine
from app.lab.redfish.shape import CHASSIS, WELL, Resource, collection, link, resource


def _measured(machine: Machine, unit: int) -> list[tuple[Sensor, int | None]]:
    """The sensors of one unit with what they read; nothing while the machine is off."""
    return [
        (sensor, sensor.value if machine.on or sensor.while_off else None)
        for sensor in SENSORS
        if sensor.unit == unit
    ]


def thermal(machine: Machine) -> Resource:
    """Temperatures and fans."""
    path = f"{CHASSIS}/Thermal"
    temperatures = [
        {
            "@odata.id": f"{path}#/Temperatures/{index}",
            "MemberId": str(index),
            "Name": sensor.name,
            "ReadingCelsius": value,
            "UpperThresholdNonCritical": sensor.warning,
            "UpperThresholdCritical": sensor.critical,
            "Status": WELL if value is not None else {"State": "Disabled"},
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
            "Status": WELL if value is not None else {"State": "Disabled"},
        }
        for index, (sensor, value) in enumerate(_measured(machine, RPM))
    ]
    return resource(path, "Thermal.v1_7_0.Thermal", "Thermal", Temperatures=temperatures, Fans=fans)


def _subsystem(machine: Machine) -> Resource:
    """What newer controllers have instead of Thermal."""
    path = f"{CHASSIS}/ThermalSubsystem"
    fields: Resource = {"ThermalMetrics": link(f"{path}/ThermalMetrics"), "Fans": link(f"{path}/Fans")}
    return resource(path, "ThermalSubsystem.v1_0_0.ThermalSubsystem", "Thermal Subsystem", **fields)


def _metrics(machine: Machine) -> Resource:
    """The temperatures as excerpts of sensors."""
    path = f"{CHASSIS}/ThermalSubsystem/ThermalMetrics"
    readings = [
        {"DeviceName": sensor.name, "Reading": value, "DataSourceUri": f"{CHASSIS}/Sensors/{index}"}
        for index, (sensor, value) in enumerate(_measured(machine, CELSIUS))
    ]
    kind, name = "ThermalMetrics.v1_0_0.ThermalMetrics", "Thermal Metrics"
    return resource(path, kind, name, TemperatureReadingsCelsius=readings)


def _fan(machine: Machine, index: int) -> Resource:
    path = f"{CHASSIS}/ThermalSubsystem/Fans/{index}"
    sensor, value = _measured(machine, RPM)[index]
    status = WELL if value is not None else {"State": "Disabled"}
    speed = {"Reading": None, "SpeedRPM": value}
    return resource(path, "Fan.v1_2_0.Fan", sensor.name, SpeedPercent=speed, Status=status)


FANS = [
    f"{CHASSIS}/ThermalSubsystem/Fans/{index}" for index, _ in enumerate(s for s in SENSORS if s.unit == RPM)
]
SUBSYSTEM: dict[str, Callable[[Machine], Resource]] = {
    f"{CHASSIS}/ThermalSubsystem": _subsystem,
    f"{CHASSIS}/ThermalSubsystem/ThermalMetrics": _metrics,
    f"{CHASSIS}/ThermalSubsystem/Fans": lambda machine: collection(
        f"{CHASSIS}/ThermalSubsystem/Fans", "Fan", FANS
    ),
    **{path: partial(_fan, index=index) for index, path in enumerate(FANS)},
}
THERMAL = {"": "Thermal", "subsystem": "ThermalSubsystem"}  # The chassis' link, by the fault `thermal`.


def power(machine: Machine) -> Resource:
    """What the machine consumes."""
    path = f"{CHASSIS}/Power"
    controls = [
        {
            "@odata.id": f"{path}#/PowerControl/{index}",
            "MemberId": str(index),
            "Name": sensor.name,
            "PowerConsumedWatts": value or 0,
            "Status": WELL,
        }
        for index, (sensor, value) in enumerate(_measured(machine, WATT))
    ]
    fields: Resource = {"PowerControl": controls, "Voltages": [], "PowerSupplies": []}
    return resource(path, "Power.v1_7_0.Power", "Power", **fields)
