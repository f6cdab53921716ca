"""Every document, section, number and file that the code or the documentation cites exists."""

import re
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from app.domain.invariants import CHECKS
from app.record.runs import doctor
from tests.chaos.bugs.catalogue import BUGS, RULES
from tests.chaos.bugs.of_apps import APPS
from tests.chaos.bugs.of_batches import BATCHES

ROOT = Path(__file__).parents[2]
DOCUMENT = re.compile(r"\b((?:docs/|contracts/)[\w./-]+\.(?:rst|md))(?:#([\w-]+))?")
LINK = re.compile(r"<([\w./-]+\.(?:rst|md))(?:#([\w-]+))?>`_")
TRANSITION = re.compile(r"(?<![\w-])T([1-9]\d?)(?![\w:])")
INVARIANT = re.compile(r"(?<![\w-])I([1-9]\d?)(?!\w)")
SOURCE = re.compile(
    r"\b((?:app|chains|tasks|windlass|migrations|tests|scripts)/[\w./-]*\w\.(?:py|lua|pml))\b"
)
TEST = re.compile(r"\btest_(?:[a-z]+_){3,}\w+\b(?!\.)")  # The names of tests are sentences.
PLANTED = re.compile(r'(?:haos: (?:scenario )?|haos plants[^".]*|planted: )((?:"[^"]+"(?:, )?)+)')
PRIVATE = re.compile(r"\b(?:contract \d|issue \d+, section|seed 00\d|CASES \d|ATTACK \d)")
# Files of other projects, and paths that a test makes up.
ELSEWHERE = {"app/amqp.py", "app/api/views.py", "tests/test_a.py", "chains/server/erase.py"}
HERE = "tests/architecture/test_references.py"


def texts(*where: str) -> Iterator[tuple[str, str]]:
    """The tracked source and documentation files below these folders, with their text."""
    command = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "--", *where]
    for name in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split():
        path = ROOT / name
        if path.suffix in (".py", ".rst", ".md", ".cfg", ".lua") and path.is_file() and name != HERE:
            yield name, path.read_text()


def anchors(path: Path) -> set[str]:
    """The anchors of a page: its section titles in lower case, with hyphens."""
    lines = path.read_text().splitlines()
    marked = {line for line, under in pairwise(lines) if line and re.fullmatch(r"([=-])\1+", under)}
    return {re.sub(r"[^a-z0-9]+", "-", line.lower()).strip("-") for line in marked}


def unwrapped(text: str) -> str:
    """A source text with the lines of each comment, and of each docstring, in one line."""
    return re.sub(r"\s*\n\s*(?:# )?", " ", text)


def numbers(page: str, letter: str) -> set[str]:
    """The numbers that a table of the documentation defines."""
    return set(re.findall(rf"^``{letter}(\d+)``", (ROOT / "docs" / page).read_text(), re.MULTILINE))


def leads_nowhere(folder: Path, name: str, anchor: str) -> bool:
    """Whether a cited page or its section is not there."""
    page = folder / name
    return not page.is_file() or bool(anchor and anchor not in anchors(page))


def test_every_cited_page_and_section_exists() -> None:
    wrong = []
    for name, text in texts(
        "app", "chains", "tasks", "windlass", "migrations", "tests", "docs", "README.rst", "setup.cfg"
    ):
        for page, anchor in DOCUMENT.findall(text):
            if leads_nowhere(ROOT if page.startswith("docs/") else ROOT / "docs", page, anchor):
                wrong.append((name, page, anchor))
    assert wrong == []


def test_every_link_between_pages_leads_somewhere() -> None:
    wrong = [
        (name, page, anchor)
        for name, text in texts("docs", "README.rst", "CHANGELOG.rst")
        for page, anchor in LINK.findall(text)
        if leads_nowhere((ROOT / name).parent, page, anchor)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("page", "letter", "pattern"),
    [("transitions.rst", "T", TRANSITION), ("invariants.rst", "I", INVARIANT)],
)
def test_every_cited_number_is_defined(page: str, letter: str, pattern: re.Pattern[str]) -> None:
    defined = numbers(page, letter)
    cited = {
        (name, number) for name, text in texts("app", "tests", "docs") for number in pattern.findall(text)
    }
    assert sorted(one for one in cited if one[1] not in defined) == []


def test_every_number_that_the_doctor_prints_is_defined() -> None:
    printed = {number.removeprefix("I") for number in [number for number, _ in CHECKS] + list(doctor.TODO)}
    assert printed <= numbers("invariants.rst", "I")


def test_every_source_file_that_a_text_names_exists() -> None:
    wrong = {
        (name, path)
        for name, text in texts("app", "chains", "tasks", "windlass", "tests", "docs", "README.rst")
        for path in SOURCE.findall(text)
        if path not in ELSEWHERE and not (ROOT / path).exists()
    }
    assert sorted(wrong) == []


def test_every_test_that_a_comment_names_exists() -> None:
    there = {name for _, text in texts("tests") for name in re.findall(r"def (test_\w+)", text)}
    named = {(name, test) for name, text in texts("app", "chains", "tasks") for test in TEST.findall(text)}
    assert named
    assert sorted(one for one in named if one[1] not in there) == []


def test_every_planted_bug_that_a_comment_names_exists() -> None:
    bugs = (*BUGS, *RULES, *APPS, *BATCHES)
    there = {bug.name for bug in bugs} | {bug.scenario for bug in bugs}
    named = {
        (name, bug)
        for name, text in texts("app", "chains", "tasks")
        for listed in PLANTED.findall(unwrapped(text))
        for bug in re.findall(r'"([^"]+)"', listed)
    }
    assert named
    assert sorted(one for one in named if one[1] not in there) == []


def test_no_text_cites_a_page_that_is_not_in_the_repository() -> None:
    folders = (
        "app",
        "chains",
        "tasks",
        "windlass",
        "migrations",
        "tests",
        "docs",
        "README.rst",
        "CHANGELOG.rst",
    )
    assert [(name, *PRIVATE.findall(text)) for name, text in texts(*folders) if PRIVATE.search(text)] == []


@pytest.mark.parametrize(
    ("page", "anchor"), [("nowhere.rst", ""), ("transitions.rst", "no-such-title"), ("engine.rst", "the")]
)
def test_a_reference_to_nothing_is_found(page: str, anchor: str) -> None:
    assert leads_nowhere(ROOT / "docs", page, anchor)


def test_planted_bugs_are_recognised_across_lines() -> None:
    told = unwrapped('# (I12; chaos: "a hint\n    # decides", "no fence")\n# Chaos plants this as "late"')
    assert PLANTED.findall(told) == ['"a hint decides", "no fence"', '"late"']


def test_numbers_and_private_citations_are_recognised() -> None:
    assert TRANSITION.findall("(T3, T23); T0, 13T12:00") == ["3", "23"]
    assert INVARIANT.findall('"I18": and I2 to I13') == ["18", "2", "13"]
    assert PRIVATE.search("by contract 2, B.7") and PRIVATE.search("(seed 003)")
