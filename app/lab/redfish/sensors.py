"""The sensors of a machine as Redfish shows them."""

from app.lab.hardware import CELSIUS, RPM, SENSORS, WATT, Sensor
from app.lab.machine import Machine
from app.lab.redfish.shape import CHASSIS, WELL, Resource, resource


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
