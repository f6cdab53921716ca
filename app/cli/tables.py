"""Tables that fit: what has no room is shortened, then left out by its rank, and never folded by letters."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from app.cli import cells

# Title, path of the member ("waitingOn.kind"), and perhaps a rank: the highest is left out first.
Columns = Sequence[tuple[str, str] | tuple[str, str, int]]
GAP = 2  # Blanks between two columns.
EASY_TEXT = 40  # What a long text needs to be read with ease, on several lines if it must.
LEAST_TEXT = 24  # What it gets when there is nothing more to leave out.
LEAST_NAME = 32  # What a name needs before its end is cut off.
LEAST_WORD = 12  # The same for what matters less than names.


@dataclass(frozen=True)
class Column:
    """One column with its cells, as they shall be printed."""

    title: str
    path: str
    rank: int
    texts: tuple[str, ...]
    most: int | None = None  # The width that is left for it; a longer text is cut or wrapped at words.

    @property
    def wants(self) -> int:
        """The width of its longest line."""
        longest = max((cell_len(line) for text in self.texts for line in text.split("\n")), default=0)
        return max(cell_len(self.title), longest)

    @property
    def width(self) -> int:
        """The width that it takes."""
        return self.wants if self.most is None else min(self.most, self.wants)

    @property
    def is_prose(self) -> bool:
        """Whether its cells are sentences, which may stand on several lines."""
        return any(" " in text and cell_len(text) > LEAST_TEXT for text in self.texts)


def rows(value: Iterable[object], columns: Columns, *, width: int | None, now: datetime) -> Table:
    """A list as a table; without a width everything is shown in full."""
    found = list(value)
    made = _made(found, columns)
    if width is not None:
        whole = _with_room(found, made, now, whole_ids=True)
        made = whole if _total(whole) <= width else fitted(_with_room(found, made, now), width)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
    for column in made:
        wraps = column.most is not None and column.is_prose and column.width >= LEAST_TEXT
        table.add_column(
            column.title,
            no_wrap=not wraps,
            overflow="ellipsis",
            width=None if width is None else column.width,
        )
    for number in range(len(found)):
        table.add_row(*(_styled(column, number, marks=width is not None) for column in made))
    return table


def sheet(value: Mapping[str, object], columns: Columns) -> Table:
    """One object: a line for each member that it has."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, GAP, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for title, path, *_ in columns:
        found = cells.at(value, path)
        if found not in (None, [], {}, False):
            table.add_row(title, _sheet_text(value, path, found))
    return table


def fitted(columns: list[Column], width: int) -> list[Column]:
    """The columns that fit: shortened texts first, then fewer columns, then narrower ones."""
    kept = list(columns)
    while _total(kept) > width:
        droppable = [column for column in kept if column.rank > 0]
        if _least(kept) <= width or not droppable:
            return _narrowed(kept, width)
        highest = max(column.rank for column in droppable)
        last = next(column for column in reversed(kept) if column.rank == highest)
        kept.remove(last)
    return kept


def _made(found: list[object], columns: Columns) -> list[Column]:
    return [
        Column(title, path, rank[0] if rank else 0, tuple(cells.member(row, path) for row in found))
        for title, path, *rank in columns
    ]


def _with_room(
    found: list[object], columns: list[Column], now: datetime, *, whole_ids: bool = False
) -> list[Column]:
    """What a terminal shows: times as clocks or ages, ids as their ends, states with a mark."""
    made = []
    for column in columns:
        if column.rank > 0 and not any(column.texts):
            continue
        if cells.is_id(column.path) and not whole_ids:
            texts = [cells.shortened(row, column.path) for row in found]
        elif cells.is_state(column.path):
            texts = [cells.marked(text)[0] for text in column.texts]
        else:
            texts = [cells.brief(row, column.path, now) for row in found]
        made.append(replace(column, texts=tuple(texts)))
    return made


def _styled(column: Column, number: int, *, marks: bool) -> Text:
    text = column.texts[number]
    if not (marks and cells.is_state(column.path)):
        return Text(text)
    return Text(text, cells.marked(text[2:])[1])


def _total(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + GAP * max(0, len(columns) - 1)


def _floor(column: Column, text: int = LEAST_TEXT) -> int:
    """How narrow a column may become and still be read."""
    if cells.is_id(column.path) or cells.is_state(column.path):
        return column.wants
    if column.is_prose:
        return min(column.wants, text)
    return min(column.wants, LEAST_NAME if column.rank <= 1 else max(LEAST_WORD, cell_len(column.title)))


def _least(columns: Sequence[Column]) -> int:
    return sum(_floor(column, EASY_TEXT) for column in columns) + GAP * max(0, len(columns) - 1)


def _narrowed(columns: list[Column], width: int) -> list[Column]:
    """The widest give way first, down to what each needs."""
    widths = [column.wants for column in columns]
    floors = [_floor(column) for column in columns]
    while sum(widths) + GAP * (len(widths) - 1) > width:
        spare = [
            (wide - floor, number) for number, (wide, floor) in enumerate(zip(widths, floors, strict=True))
        ]
        most, number = max(spare)
        if most <= 0:
            break
        widths[number] -= 1
    return [replace(column, most=wide) for column, wide in zip(columns, widths, strict=True)]


def _sheet_text(value: Mapping[str, object], path: str, found: object) -> Text:
    if cells.is_state(path):
        word, style = cells.marked(str(found))
        return Text(word.strip(), style)
    if isinstance(found, Mapping) or (
        isinstance(found, list) and any(isinstance(one, Mapping) for one in found)
    ):
        return Text("\n".join(outline(found)))
    return Text(cells.member(value, path))


def outline(value: object) -> list[str]:
    """An object as lines that are indented by its depth, without brackets and quotes."""
    if isinstance(value, Mapping):
        lines: list[str] = []
        for name, inner in value.items():
            told = cells.printable(str(name))
            nested = isinstance(inner, Mapping | list) and inner and not _is_flat(inner)
            lines += (
                [told, *_indented(outline(inner))] if nested else [f"{told}: {cells.cell(inner)}".rstrip()]
            )
        return lines
    if isinstance(value, list) and not _is_flat(value):
        return [line for each in value for line in _item(outline(each))]
    return [cells.cell(value)]


def _is_flat(value: object) -> bool:
    return isinstance(value, list) and not any(isinstance(one, Mapping | list) for one in value)


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _item(lines: list[str]) -> list[str]:
    return [f"{'- ' if number == 0 else '  '}{line}" for number, line in enumerate(lines)]
