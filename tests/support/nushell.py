"""Nushell as `scripts/nushell` installs it, in the folder where its module is used."""

import os
import subprocess
from pathlib import Path

from tests.support.servers import needs

ROOT = Path(__file__).parents[2]
PROVISIONING = ROOT / "provisioning"
NU = next((ROOT / "build" / "nushell" / "node_modules" / "@nushell").glob("*/bin/nu"), None)
USE = "use core/nulib/workflows/batch.nu *; "

needs_nushell = needs(NU, "Nushell is not installed: scripts/nushell")


def nu(command: str, url: str, key: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``nu -c`` with a command of the module against a service."""
    return subprocess.run(
        [str(NU), "--no-config-file", "-c", USE + command],
        cwd=PROVISIONING,
        env={"WINDLASS_URL": url, "WINDLASS_API_KEY": key, "HOME": os.devnull, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
