"""The lab: simulated machines whose BMCs speak the real protocols, and which can be broken on purpose.

Each machine has an IPMI 2.0 BMC (RMCP+ over UDP, cipher suites 3 and 17) and a Redfish service (HTTPS), both
on 127.0.0.1, and both act on the same power, boot device and hardware. A control API breaks machines and
shows the ledger, the list of effects that were really applied. An installer takes part when a machine starts
from the network.

    with Lab(count=3) as lab:
        lab.machines[0].active_faults.current = Faults(refuse=True)
        ...
        assert lab.ledger.read("m1", effect="power") == []

or ``python -m app.lab --count 3``.
"""

from app.lab.background import serve
from app.lab.faults import Faults
from app.lab.lab import Lab
from app.lab.ledger import Effect, Ledger
from app.lab.machine import Machine

__all__ = ["Effect", "Faults", "Lab", "Ledger", "Machine", "serve"]
