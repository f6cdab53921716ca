"""What receivers of webhooks know: a delivery that counts as delivered was accepted by its receiver."""

from collections.abc import Iterator, Mapping, Sequence

from tests.chaos.checks.evidence import Finding, Row


def taken(deliveries: Sequence[Row], answers: Mapping[str, Sequence[int]]) -> Iterator[Finding]:
    """I12: what was delivered was answered with a success; ``answers`` are the receiver's, by delivery."""
    for row in deliveries:
        answered = answers.get(row["id"], ())
        if row["status"] == "delivered" and not any(200 <= status < 300 for status in answered):
            what = f"{row['event']} counts as delivered; the receiver answered {list(answered)}"
            yield Finding(number="I12", run_id=row["run_id"], what=what)
