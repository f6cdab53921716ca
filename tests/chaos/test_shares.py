"""How much of a machine a process got, from what its work took."""

from pathlib import Path

from tests.chaos.shares import Share, Shares, given, judged
from tests.support.servers import until


def test_the_least_that_the_work_ever_computed_is_what_it_needs() -> None:
    seen = [("1000", "0.010", "0.010"), ("2000", "0.040", "0.010"), ("3000", "0.020", "0.020")]
    assert judged(seen) == [
        Share(at=1_000, part=1.0),
        Share(at=2_000, part=0.25),
        Share(at=3_000, part=0.5),
    ]


def test_time_counts_by_what_was_given_meanwhile_and_right_after() -> None:
    shares = [Share(at=1_000, part=1.0), Share(at=2_000, part=0.25), Share(at=3_000, part=0.75)]
    assert given(shares, 1_500, 2_500) == 500
    assert given(shares, 4_000, 5_000) == 750
    assert given([], 4_000, 5_000) == 1_000


def test_it_is_seen_until_the_watch_is_closed(tmp_path: Path) -> None:
    shares = Shares(tmp_path)
    found = until(lambda: shares.found, why="the first computation has ended")
    shares.close()
    assert 0 < found[0].part <= 1
