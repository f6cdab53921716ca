"""The summary: medians of quiet rounds, ratios inside rounds, targets."""

from tests.bench.__main__ import in_turn
from tests.bench.calibration import Calibration, quiet
from tests.bench.report import Rounds, summary, table
from tests.bench.targets import Target
from tests.bench.workload import Figure

CALM = Calibration(select_us=20, commit_us=150, loop_ms=17)
BUSY = Calibration(select_us=20, commit_us=4000, loop_ms=30)


def rounds_of(calibrations: list[Calibration], **speeds: list[float]) -> Rounds:
    """What W1 measured of each candidate, round by round."""
    rounds = Rounds(calibrations=dict(enumerate(calibrations, start=1)))
    for name, values in speeds.items():
        for round_, value in enumerate(values, start=1):
            rounds.add("W1", name, round_, [Figure("throughput", value, "steps/s", 100 / value)])
    return rounds


def test_a_round_is_quiet_within_a_fifth_of_the_best() -> None:
    nearly = Calibration(select_us=23.9, commit_us=9000, loop_ms=20.3)
    assert quiet([CALM, nearly, BUSY]) == [True, True, False]


def test_absolute_figures_are_those_of_quiet_rounds() -> None:
    found = summary(rounds_of([CALM, BUSY, CALM], windlass=[100, 10, 300]))
    cell = {"median": 200.0, "min": 100.0, "max": 300.0, "unit": "steps/s", "cpuPer1000": 0.6667}
    assert found["W1"]["throughput"]["windlass"] == cell


def test_without_any_quiet_round_all_rounds_count() -> None:
    loud = Calibration(select_us=60, commit_us=4000, loop_ms=17)
    found = summary(rounds_of([BUSY, loud], windlass=[100, 300]))
    assert found["W1"]["throughput"]["windlass"]["median"] == 200


def test_ratios_compare_inside_rounds() -> None:
    found = summary(rounds_of([CALM, BUSY, BUSY], windlass=[400, 30, 90], absurd=[100, 10, 10]))
    assert found["ratios"] == {
        "W1.throughput.windlass/absurd": 4,
        "W1.throughput.cpuPer1000.windlass/absurd": 0.25,
    }


def test_a_promise_for_many_figures_is_kept_by_the_highest_of_them() -> None:
    known = {name: {"windlass": {"median": value}} for name, value in (("1m-a-p99", 5), ("1m-b-p99", 31))}
    most = Target("lists", "W5.1m-*-p99.windlass", most=30)
    assert most.found({"W5": known}) == 31
    assert Target("lists", "W5.1m-*-p99.windlass", most=30, but="*-b-*").found({"W5": known}) == 5
    assert most.found({"W5": {}}) is None


def test_the_text_says_which_promise_is_broken() -> None:
    # Most of what was promised is not measured here, and left out.
    text = table(summary(rounds_of([CALM], windlass=[399], **{"dbos-direct": [100.0]})))
    assert "NOT MET" in next(line for line in text.splitlines() if "against DBOS direct" in line)


def test_no_candidate_is_the_first_in_every_round() -> None:
    names = ["windlass", "absurd", "windlass", "floor"]
    assert [in_turn(names, round_) for round_ in (1, 2)] == [
        ["windlass", "absurd", "floor"],
        ["floor", "absurd", "windlass"],
    ]
