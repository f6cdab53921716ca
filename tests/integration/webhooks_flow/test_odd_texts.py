"""Odd texts reach a receiver as they are, in a signed body of UTF-8."""

import re
from typing import Any

from app.auth.keys import LOCAL
from app.domain.errors import Permanent
from app.services import runs
from tests.contract.corpus import TEXTS
from tests.integration.webhooks_flow.box import Box
from tests.integration.webhooks_flow.office import Office
from tests.support.probes import BEFORE

UNSTORABLE = ("nul", "half a pair", "pairs the wrong way round")  # Every door of the API refuses them.
PLAIN = {name: text for name, text in TEXTS.items() if name not in UNSTORABLE}
SHORT = [text for text in PLAIN.values() if 0 < len(text) <= 64]


def raises(message: str) -> Any:
    """Trouble that says this."""

    def raise_(_ctx: Any) -> None:
        raise Permanent(message)

    return raise_


def test_tags_are_told_as_they_are(office: Office, to: Box) -> None:
    made = office.endpoint(to.url, "run.completed")
    office.ran(tags=SHORT)
    assert office.deliver() == ["delivered"]
    (mail,) = to.mail
    assert sorted(mail.data["tags"]) == sorted(SHORT)
    assert mail.verified(made.secret) == mail.said


def test_why_a_run_failed_is_told_whatever_the_step_said(office: Office, to: Box) -> None:
    made = office.endpoint(to.url, "run.failed")
    for text in TEXTS.values():
        BEFORE["third"] = raises(text)
        office.ran()
    assert set(office.deliver()) == {"delivered"}
    told = [mail.verified(made.secret)["data"]["error"]["message"] for mail in to.in_order]
    assert len(told) == len(TEXTS)
    for text, found in zip(TEXTS.values(), told, strict=True):
        expected = re.sub("[\0\ud800-\udfff]", "\ufffd", text) or str(Permanent.__doc__)
        assert found == expected or (len(text) > 300 and found[:200] == expected[:200]), ascii(text[:50])


def test_why_a_run_was_cancelled_is_told_as_it_is(office: Office, to: Box) -> None:
    office.endpoint(to.url, "run.cancelled")
    reasons = [text for text in PLAIN.values() if len(text) <= 500]
    for text in reasons:
        run_id = office.start()
        runs.cancel(office.world, LOCAL, run_id, reason=text)
        office.driver.finish(run_id)
    assert set(office.deliver()) == {"delivered"}
    assert [mail.data["status"] for mail in to.mail] == ["cancelled"] * len(reasons)
