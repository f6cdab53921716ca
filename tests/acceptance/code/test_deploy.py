"""Deployments under live runs: code that makes other calls blocks a run; mended code lets it go on."""

from pathlib import Path

import pytest

from tests.acceptance.code.site import Site
from tests.conftest import POSTGRES_REDIS
from tests.support.servers import until

PATIENCE_S = 300.0
SOURCE = """
from windlass import Context, workflow

@workflow("shop-order")
def order(ctx: Context):
    number = ctx.step("{step}", int)
    return number + ctx.wait_for_signal("paid")["amount"]
"""


def deploy(folder: Path, step: str, comment: str = "") -> None:
    """Write the module anew."""
    (folder / "shop.py").write_text(SOURCE.format(step=step) + comment)


@pytest.mark.parametrize("site", [POSTGRES_REDIS], indirect=True)
def test_a_suspended_run_outlives_a_deployment_that_drifts_and_one_that_mends_it(
    site: Site, tmp_path: Path
) -> None:
    client = site.client.workflow
    deploy(tmp_path, "reserve")
    with site.beside("shop", tmp_path):
        run_id = client.trigger("shop-order").run_id
        until(lambda: client.get_run(run_id).detail == "waiting", PATIENCE_S, "the run is suspended")
    deploy(tmp_path, "charge")
    with site.beside("shop", tmp_path):
        client.send_signal(run_id, "paid", {"amount": 7})
        until(lambda: client.get_run(run_id).detail == "blocked", PATIENCE_S, "the run is blocked")
        blocked = client.get_run(run_id)
    deploy(tmp_path, "reserve", "# mended\n")
    with site.beside("shop", tmp_path):
        mended = client.wait(run_id, timeout_s=PATIENCE_S)

    assert "step 'reserve'" in str(blocked.waiting_on) and "step 'charge'" in str(blocked.waiting_on)
    assert (mended.status, mended.output) == ("completed", 7)
