"""A run as a picture in time: rows of steps, segments of what each did, and gaps cut short; pure.

    drawn = draw(run, events, now)
    for row in drawn.rows: row.label, row.bars

1. Pairs of events become segments (`segments`): at work, in the queue, waiting outside, backing off, held.
2. Rows that say nothing more are folded, and the members of a fan-out share one row (`fold`).
3. Stretches in which nothing works are cut to a fixed part of the work, with a break that says how long
   they were (`Scale`).

All times are milliseconds since 1970; positions are percent of the width.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from app.console.segments import Segment, Track, tracks
from app.console.spans import parse, took

Object = Mapping[str, Any]
CUT = 0.12  # Of the work: what is left of a stretch in which nothing works.
MOST_ROWS = 24
MOST_BARS = 2_000
MEMBERS_A_PAGE = 50
KEPT_AROUND = 3  # Finished steps that stay before the first one that is not.


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A segment at its place."""

    x: float
    width: float
    kind: str
    look: str  # The colour: ok, fail, run, undo, hold or idle.
    title: str
    live: bool = False


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the picture."""

    key: str  # Of the step; empty for a line that is none.
    phase: str
    label: str
    state: str
    took: str = ""
    bars: tuple[Bar, ...] = ()
    ticks: tuple[tuple[float, str], ...] = ()  # Ends of the members of a fan-out.
    ghost: tuple[float, float] | None = None  # Where it usually ends: from, width.
    kind: Literal["step", "title", "folded", "fanout", "member"] = "step"
    said: str = ""  # All of it in words.


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The whole."""

    rows: tuple[Row, ...]
    breaks: tuple[tuple[float, str], ...]  # Where time was cut, and how much of it.
    start: int
    end: int
    members: int = 0  # How many members the opened fan-out has.


@dataclass(frozen=True)
class Scale:
    """From moments to percent, with long stretches without work cut short."""

    start: int
    end: int
    gaps: tuple[tuple[int, int, float], ...] = field(default=())  # From, to, and the length that is left.

    @classmethod
    def of(cls, start: int, end: int, work: Iterable[tuple[int, int]]) -> "Scale":
        """The scale of a period with the stretches in which something worked."""
        busy = _merged(work)
        left = sum(to - from_ for from_, to in busy) * CUT
        edges = [start, *(edge for pair in busy for edge in pair), max(end, start + 1)]
        free = zip(edges[::2], edges[1::2], strict=True)
        gaps = tuple((from_, to, left) for from_, to in free if left > 0 and to - from_ > left)
        return cls(start, max(end, start + 1), gaps)

    def at(self, moment: float) -> float:
        """A moment in percent of the width."""
        return 100 * self._length(min(max(moment, self.start), self.end)) / self._length(self.end)

    def breaks(self) -> list[tuple[float, str]]:
        """Where time was cut, and how much of it."""
        return [(self.at((from_ + to) / 2), took(to - from_)) for from_, to, _ in self.gaps]

    def _length(self, moment: float) -> float:
        length = moment - self.start
        for from_, to, left in self.gaps:
            inside = min(max(moment - from_, 0), to - from_)
            length -= inside * (1 - left / (to - from_))
        return max(length, 1e-9)


def draw(
    run: Object,
    events: Sequence[Object],
    now: int,
    *,
    usual: Mapping[str, float] | None = None,
    everything: bool = False,
    opened: str = "",
    page: int = 1,
) -> Picture:
    """The picture of a run from its log; of the fan-out ``opened`` a page of members is shown."""
    began = parse(run["createdAt"]) or now
    found = tracks(run, events, now)
    return of_tracks(found, began, usual=usual, everything=everything, opened=opened, page=page)


def of_tracks(
    found: Sequence[Track],
    began: int,
    *,
    usual: Mapping[str, float] | None = None,
    everything: bool = False,
    opened: str = "",
    page: int = 1,
) -> Picture:
    """The picture of tracks; where none of them did anything it is empty, and begins at ``began``."""
    every = [segment for track in found for segment in track.segments]
    start = min((s.start for s in every), default=began)
    end = max((s.end for s in every), default=start)
    scale = Scale.of(start, end, ((s.start, s.end) for s in every if s.kind == "work"))
    wanted, members = _arranged(found, everything=everything, opened=opened, page=page)
    rows = [_row(each, scale, usual or {}) if isinstance(each, Track) else each for each in wanted]
    rows = [_strip(row, found, scale) if row.kind == "fanout" else row for row in rows]
    return Picture(
        rows=tuple(_thinned(rows)),
        breaks=tuple(scale.breaks()),
        start=start,
        end=end,
        members=members,
    )


def _arranged(
    found: Sequence[Track], *, everything: bool, opened: str, page: int
) -> tuple[list[Track | Row], int]:
    """The tracks in their order with what stands between them, and how many members the opened one has."""
    main = [track for track in found if not track.branch]
    forward = [track for track in main if track.phase == "forward"]
    undone = [track for track in main if track.phase == "comp"]
    shown: list[Track | Row] = []
    members = 0
    folded = set() if everything else _foldable(forward, len(forward) + len(undone))
    for track in forward:
        if track.key in folded:
            if not (shown and isinstance(shown[-1], Row) and shown[-1].kind == "folded"):
                label = f"{len(folded)} finished steps"
                shown.append(Row(key="", phase="", label=label, state="completed", kind="folded"))
            continue
        shown.append(track)
        if track.key == opened:
            inner = _members(found, opened)
            members = len(inner)
            shown += inner[(page - 1) * MEMBERS_A_PAGE : page * MEMBERS_A_PAGE]
    if undone:
        shown.append(Row(key="", phase="comp", label="Undone, last step first", state="", kind="title"))
    return [*shown, *undone], members


def _foldable(forward: Sequence[Track], rows: int) -> set[str]:
    """Finished steps that say nothing more: those well before the first one that is not finished."""
    if rows <= MOST_ROWS:
        return set()
    done = 0
    while done < len(forward) and forward[done].state in ("completed", "skipped"):
        done += 1
    done = len(forward) - KEPT_AROUND if done == len(forward) else done - KEPT_AROUND
    return {track.key for track in forward[: max(0, done)]}


def _members(found: Sequence[Track], group: str) -> list[Track]:
    """The members of a fan-out, failed ones first."""
    inner = [track for track in found if track.branch.partition("/")[0] == group]
    return sorted(inner, key=lambda track: track.state != "failed")


def _row(track: Track, scale: Scale, usual: Mapping[str, float]) -> Row:
    bars = tuple(_bar(segment, scale) for segment in track.segments)
    length = track.segments[-1].end - track.segments[0].start if track.segments else None
    kind: Any = "fanout" if track.is_fan_out else "member" if track.branch else "step"
    return Row(
        key=track.key,
        phase=track.phase,
        label=track.label,
        state=track.state,
        took=took(length),
        bars=bars,
        ghost=_ghost(track, scale, usual.get(track.key)) if track.phase == "forward" else None,
        kind=kind,
        said=", ".join(bar.title for bar in bars),
    )


def _ghost(track: Track, scale: Scale, usual_ms: float | None) -> tuple[float, float] | None:
    """Where a step that works usually ends."""
    if not usual_ms or not track.segments or not track.segments[-1].live:
        return None
    begun = next((s.start for s in track.segments if s.kind == "work"), None)
    if begun is None:
        return None
    from_, to = scale.at(begun), scale.at(min(scale.end, begun + usual_ms))
    return from_, max(0.0, to - from_)


def _bar(segment: Segment, scale: Scale) -> Bar:
    x, to = scale.at(segment.start), scale.at(segment.end)
    return Bar(
        x=round(x, 3),
        width=round(to - x, 3),
        kind=segment.kind,
        look=segment.look,
        title=f"{segment.said}, {took(segment.end - segment.start)}",
        live=segment.live,
    )


def _strip(row: Row, found: Sequence[Track], scale: Scale) -> Row:
    """A fan-out with the ends of its members."""
    inner = _members(found, row.key)
    ended = [track for track in inner if track.state not in ("pending", "running")]
    failed = sum(track.state == "failed" for track in inner)
    ticks = {
        (round(scale.at(track.segments[-1].end), 1), "fail" if track.state == "failed" else "ok")
        for track in ended
        if track.segments
    }
    said = f"{len(ended)} of {len(inner)} ended" + (f", {failed} failed" if failed else "")
    label = f"{row.label} {len(ended)}/{len(inner)}" if inner else row.label
    return replace(row, label=label, ticks=tuple(sorted(ticks)), said=said)


def _thinned(rows: Sequence[Row]) -> Iterable[Row]:
    """The rows with at most so many bars: those that would lie on each other are one."""
    count = sum(len(row.bars) for row in rows)
    if count <= MOST_BARS:
        return rows
    each = max(1, MOST_BARS // max(1, len(rows)))
    return [replace(row, bars=_bucketed(row.bars, each)) for row in rows]


def _bucketed(bars: Sequence[Bar], most: int) -> tuple[Bar, ...]:
    if len(bars) <= most:
        return tuple(bars)
    buckets: dict[int, list[Bar]] = {}
    for bar in bars:
        buckets.setdefault(min(most - 1, int(bar.x * most / 100)), []).append(bar)
    merged = []
    for inner in buckets.values():
        last = inner[-1]
        worst = next((bar for bar in inner if bar.look == "fail"), last)
        width = last.x + last.width - inner[0].x
        title = last.title if len(inner) == 1 else f"{len(inner)} stretches, the last one: {last.title}"
        merged.append(replace(worst, x=inner[0].x, width=width, title=title, live=last.live))
    return tuple(merged)


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for from_, to in sorted(spans):
        if merged and from_ <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], to))
        else:
            merged.append((from_, to))
    return merged
