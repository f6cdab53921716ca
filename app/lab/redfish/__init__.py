"""A BMC's Redfish side: a service over HTTPS on a port of its own (DMTF DSP0266)."""

from app.lab.redfish.service import RedfishBmc

__all__ = ["RedfishBmc"]
