"""What an endpoint may be: which addresses, how many, under which version."""

from dataclasses import replace

import pytest

from app.auth.keys import LOCAL
from app.auth.rings import public_ring
from app.config import SettingsError, load
from app.domain.errors import PreconditionFailed, QuotaExceeded, ValidationFailed
from app.services import signing_secrets, webhooks
from tests.integration.webhooks_flow.rig import Rig

PUBLIC = "https://93.184.216.34/in"


def test_a_url_is_at_most_2048_characters_long(rig: Rig) -> None:
    longest = PUBLIC + "x" * (2048 - len(PUBLIC))
    assert rig.row(rig.endpoint(longest).id)["url"] == longest
    with pytest.raises(ValidationFailed) as refused:
        rig.endpoint(longest + "x")
    assert list(refused.value.details["fields"]) == ["url"]


def test_there_are_at_most_100_endpoints_beside_callbacks(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    assert webhooks.MOST_ENDPOINTS == 100
    monkeypatch.setattr(webhooks, "MOST_ENDPOINTS", 1)
    rig.start(callback_url=PUBLIC)
    rig.endpoint(PUBLIC)
    with pytest.raises(QuotaExceeded):
        rig.endpoint(PUBLIC)


def test_a_change_under_an_old_version_changes_nothing(rig: Rig) -> None:
    made = rig.endpoint(PUBLIC)
    webhooks.change(rig.world, LOCAL, made.id, {"description": "new"}, version=1)
    with pytest.raises(PreconditionFailed):
        webhooks.change(rig.world, LOCAL, made.id, {"active": False}, version=1)
    assert rig.row(made.id)["active"] and rig.row(made.id)["version"] == 2


def test_whoever_can_only_seal_makes_secrets_that_workers_alone_open(rig: Rig) -> None:
    public = public_ring(rig.world.settings).text
    sealing_only = replace(rig.world, settings=load({}, sealing_public_key=public))
    secret, sealed = signing_secrets.fresh(sealing_only, "whk_1")
    assert signing_secrets.opened(rig.world, [("whk_1", sealed)]) == [secret]
    with pytest.raises(SettingsError):
        signing_secrets.opened(sealing_only, [("whk_1", sealed)])
