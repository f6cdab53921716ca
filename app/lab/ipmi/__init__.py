"""A BMC's IPMI 2.0 side: RMCP+ over UDP, written from the specification and not from a client."""

from app.lab.ipmi.bmc import IpmiBmc

__all__ = ["IpmiBmc"]
