"""Scheduled reports: a schedule starts this every morning (see `windlass schedule`)."""

from typing import Any

from tests.examples.standins import Row, client, send_mail
from windlass import Context, workflow
from windlass.testing import Harness


def fetch_report_data(kind: str) -> list[int]:
    return [1, 2, 3] if kind == "sales" else []


def generate(data: list[int], kind: str) -> Row:
    return {"url": f"https://reports.example.org/{kind}/{sum(data)}"}


def save(run_id: str, row: Row) -> Row:
    return client.collection("reports").create(f"report-of-{run_id}", row)


@workflow("generate-report")
def generate_report(ctx: Context, given: dict[str, Any]) -> Any:
    kind = given["type"]
    data = ctx.step("fetch-data", fetch_report_data, kind)
    report = ctx.step("generate", generate, data, kind)
    row = {"type": kind, "url": report["url"], "generatedAt": ctx.now().isoformat()}
    saved = ctx.step("save", save, ctx.run_id, row)
    ctx.step("notify", send_mail, "team@example.org", saved["id"])
    return {"reportId": saved["id"]}


if __name__ == "__main__":
    with Harness() as h:
        print(h.start(generate_report, {"type": "sales"}).result())
