"""What a simulated machine is made of: who it says it is and what it measures."""

import uuid
from dataclasses import dataclass

# Names under which a UUID is made from a machine's id, so that a restarted lab has the same machines.
_LAB = uuid.UUID("8d3b8f0e-6f0f-5c3a-9a3e-57494e444c53")


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """One thing that is measured; ``value`` is in ``unit`` and a multiple of ``step``."""

    number: int
    name: str
    kind: int  # IPMI sensor type code (IPMI 2.0, table 42-3)
    unit: int  # IPMI unit code (table 43-15)
    entity: int  # IPMI entity id (table 43-13)
    value: int
    step: int = 1
    warning: int  # upper non-critical threshold
    critical: int  # upper critical threshold
    while_off: bool = False  # whether it can be read while the machine is off


TEMPERATURE, FAN, OTHER_UNIT_BASED = 0x01, 0x04, 0x0B
CELSIUS, WATT, RPM = 1, 6, 18
PROCESSOR, POWER_SUPPLY, FAN_DEVICE, AIR_INLET = 3, 10, 29, 0x37

SENSORS = (
    Sensor(
        number=1,
        name="CPU Temp",
        kind=TEMPERATURE,
        unit=CELSIUS,
        entity=PROCESSOR,
        value=42,
        warning=85,
        critical=95,
    ),
    Sensor(
        number=2,
        name="Inlet Temp",
        kind=TEMPERATURE,
        unit=CELSIUS,
        entity=AIR_INLET,
        value=23,
        warning=40,
        critical=45,
        while_off=True,
    ),
    Sensor(
        number=3,
        name="Fan 1",
        kind=FAN,
        unit=RPM,
        entity=FAN_DEVICE,
        value=4200,
        step=100,
        warning=18000,
        critical=20000,
    ),
    Sensor(
        number=4,
        name="Fan 2",
        kind=FAN,
        unit=RPM,
        entity=FAN_DEVICE,
        value=4100,
        step=100,
        warning=18000,
        critical=20000,
    ),
    Sensor(
        number=5,
        name="Power",
        kind=OTHER_UNIT_BASED,
        unit=WATT,
        entity=POWER_SUPPLY,
        value=180,
        step=4,
        warning=700,
        critical=800,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """The identity that a machine reports over both protocols."""

    manufacturer: str = "Windlass Lab"
    model: str = "Capstan 2000"
    part_number: str = "CAP-2000"
    serial: str
    uuid: uuid.UUID
    bios_version: str = "2.4.1"
    firmware: tuple[int, int] = (3, 17)  # major and minor of the BMC
    cpu_model: str = "Lab Processor 8 cores"
    cpus: int = 2
    cores_per_cpu: int = 8
    memory_gib: int = 64
    mac: str

    @classmethod
    def of(cls, machine_id: str) -> "Hardware":
        """The same id is always the same hardware."""
        unique = uuid.uuid5(_LAB, machine_id)
        tail = unique.hex[-6:]
        return cls(
            serial=f"WL-{tail.upper()}",
            uuid=unique,
            mac="02:4c:4c:" + ":".join(tail[i : i + 2] for i in (0, 2, 4)),
        )

    @property
    def firmware_version(self) -> str:
        """As Redfish writes it and as ``ipmitool mc info`` shows it, such as 3.17."""
        return f"{self.firmware[0]}.{self.firmware[1]:02d}"
