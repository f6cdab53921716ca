"""Odd texts reach a receiver as they are, in a signed body of UTF-8."""

import re
from typing import Any

from app.auth.keys import LOCAL
from app.domain.errors import Permanent
from app.services import runs
from tests.contract.corpus import TEXTS
from tests.integration.webhooks_flow.receiver import Inbox
from tests.integration.webhooks_flow.rig import Rig
from tests.support.probes import BEFORE

UNSTORABLE = ("nul", "half a pair", "pairs the wrong way round")  # Every door of the API refuses them.
PLAIN = {name: text for name, text in TEXTS.items() if name not in UNSTORABLE}
SHORT = [text for text in PLAIN.values() if 0 < len(text) <= 64]


def raises(message: str) -> Any:
    """Trouble that says this."""

    def raise_(_ctx: Any) -> None:
        raise Permanent(message)

    return raise_


def test_tags_are_told_as_they_are(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.completed")
    rig.ran(tags=SHORT)
    assert rig.deliver() == ["delivered"]
    (received,) = to.received
    assert sorted(received.data["tags"]) == sorted(SHORT)
    assert received.verified(made.secret) == received.json


def test_why_a_run_failed_is_told_whatever_the_step_said(rig: Rig, to: Inbox) -> None:
    made = rig.endpoint(to.url, "run.failed")
    for text in TEXTS.values():
        BEFORE["third"] = raises(text)
        rig.ran()
    assert set(rig.deliver()) == {"delivered"}
    told = [received.verified(made.secret)["data"]["error"]["message"] for received in to.in_order]
    assert len(told) == len(TEXTS)
    for text, found in zip(TEXTS.values(), told, strict=True):
        expected = re.sub("[\0\ud800-\udfff]", "\ufffd", text) or str(Permanent.__doc__)
        assert found == expected or (len(text) > 300 and found[:200] == expected[:200]), ascii(text[:50])


def test_why_a_run_was_cancelled_is_told_as_it_is(rig: Rig, to: Inbox) -> None:
    rig.endpoint(to.url, "run.cancelled")
    reasons = [text for text in PLAIN.values() if len(text) <= 500]
    for text in reasons:
        run_id = rig.start()
        runs.cancel(rig.world, LOCAL, run_id, reason=text)
        rig.driver.finish(run_id)
    assert set(rig.deliver()) == {"delivered"}
    assert [received.data["status"] for received in to.received] == ["cancelled"] * len(reasons)
