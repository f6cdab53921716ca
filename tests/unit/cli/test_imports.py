"""Inventories as spreadsheets save them."""

import csv
from pathlib import Path

import click
import pytest

from app.cli import imports
from tests.contract.corpus import TEXTS

HEADER = "displayName,bmcAddress,description,password\n"


def read(folder: Path, text: str) -> list[dict[str, object]]:
    """What is read of a table."""
    (file := folder / "machines.csv").write_bytes(text.encode())
    return imports.read(file)


@pytest.mark.parametrize(
    "words", ["bought 2024\nfan replaced 2025", "bought\r\nmended", "one\u2028two", "a\x0bb"]
)
def test_a_description_keeps_its_line_breaks(tmp_path: Path, words: str) -> None:
    (one,) = read(tmp_path, f'{HEADER}m1,10.9.0.1,"{words}",x\n')
    assert (one["displayName"], one["description"]) == ("m1", words)


def test_rows_without_a_word_are_no_machines(tmp_path: Path) -> None:
    assert len(read(tmp_path, f"{HEADER}m1,10.9.0.1,,x\n,,,\n , ,,\n,,,,,\n")) == 1


def test_a_password_keeps_its_blanks(tmp_path: Path) -> None:
    (one,) = read(tmp_path, f'{HEADER}m1, 10.9.0.1 ,," secret "\n')
    assert (one["bmcAddress"], one["bmcCredential"]) == ("10.9.0.1", {"password": " secret "})


def test_a_table_of_semicolons_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(click.BadParameter, match="separate them by commas"):
        read(tmp_path, "displayName;bmcAddress\nm1;10.9.0.1\n")


@pytest.mark.parametrize(
    "name", [name for name, text in TEXTS.items() if text.strip() and "pair" not in name]
)
def test_an_odd_text_arrives_as_it_stands_in_the_table(tmp_path: Path, name: str) -> None:
    text = TEXTS[name]
    file = tmp_path / "table.csv"
    with file.open("w", newline="", encoding="utf-8") as table:
        rows = csv.writer(table)
        rows.writerow(["protocol", "bmcAddress", "username", "password", "description"])
        rows.writerow(["ipmi", " 10.0.0.1 ", text, text, text])
    (given,) = imports.read(file)
    assert given["bmcCredential"] == {"username": text, "password": text}
    assert (given["description"], given["bmcAddress"]) == (text, "10.0.0.1")
