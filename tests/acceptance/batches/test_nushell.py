"""The six commands of the Nushell module against the running service."""

import json

import pytest

from tests.acceptance.batches.conftest import Site
from tests.support.nushell import needs_nushell, nu

pytestmark = [pytest.mark.nushell, needs_nushell]


def test_the_six_commands(site: Site) -> None:
    submitted = nu("batch submit workflows/local_batch.ncl | to json", site.api)
    assert submitted.returncode == 0, submitted.stderr
    batch = json.loads(submitted.stdout)["workflow_id"]

    watched = nu(f"batch monitor {batch} | get status", site.api)
    assert watched.stdout.endswith("Completed\n"), watched
    assert batch not in nu("batch list --status Running | to json", site.api).stdout
    assert batch in nu("batch list --status completed | to json", site.api).stdout
    assert nu(f"(batch status {batch}).operations.0.id", site.api).stdout.strip() == "front"
    assert nu(f"batch rollback {batch} | get status", site.api).stdout.strip() == "RollingBack"
    assert nu(f"batch monitor {batch} | get status", site.api).stdout.endswith("RolledBack\n")
    assert int(nu("batch stats | get rollbacks.succeeded", site.api).stdout) >= 1


def test_a_refusal_is_told(site: Site) -> None:
    result = nu("batch rollback 01999999-0000-7000-8000-000000000000", site.api)

    assert result.returncode == 1
    assert "[NOT_FOUND]" in result.stderr
