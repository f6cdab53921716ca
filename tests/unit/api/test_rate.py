"""How often one peer may call what needs no key."""

from app.api.http.rate import MOST_PEERS, Buckets


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_peer_may_call_so_often_and_then_waits_for_the_next() -> None:
    clock = Clock()
    buckets = Buckets(60, clock)
    assert [buckets.take("a")[1] for _ in range(60)] == [0.0] * 60
    left, wait_s = buckets.take("a")
    assert (left.headers()["RateLimit-Remaining"], left.headers()["RateLimit-Reset"], wait_s) == (
        "0",
        "60",
        1.0,
    )
    clock.now = 1.0
    assert buckets.take("a")[1] == 0.0


def test_another_peer_is_not_held_up() -> None:
    buckets = Buckets(1, Clock())
    assert [buckets.take(peer)[1] for peer in ("a", "b")] == [0.0, 0.0]
    assert buckets.take("a")[1] > 0


def test_peers_are_forgotten_before_they_fill_the_memory() -> None:
    buckets = Buckets(60, Clock())
    for number in range(MOST_PEERS + 5):
        buckets.take(str(number))
    assert len(buckets._seen) == MOST_PEERS
