"""Hook tokens and page cursors."""

import base64
import json
from pathlib import Path
from secrets import token_hex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.auth.tokens import Cursors, cursors, filter_hash, hook_hash, issue_hook_token
from app.config import Settings, SettingsError
from app.domain.errors import ValidationFailed

CURSORS = Cursors(b"k" * 32)
FILTER = filter_hash(tenant="default", status="failed")
POSITION = {"id": "run_01j9zzzzzzzzzzzzzzzzzzzzzz", "createdAt": "2026-11-20T10:00:00Z"}

names = st.text(max_size=20).filter(lambda name: name != "filter")
positions = st.dictionaries(names, st.text(max_size=40) | st.integers(), max_size=4)


def _refused(text: str, with_filter: str = FILTER) -> bool:
    with pytest.raises(ValidationFailed) as caught:
        CURSORS.decode(text, with_filter)
    return list(caught.value.details["fields"]) == ["cursor"]


@settings(deadline=None)
@given(position=positions)
def test_a_cursor_gives_its_position_back(position: dict[str, object]) -> None:
    assert CURSORS.decode(CURSORS.encode(position, FILTER), FILTER) == position


def test_a_cursor_has_the_form_of_the_contract() -> None:
    body, mac = CURSORS.encode({"id": "run_xyz"}, "f1").split(".")
    assert json.loads(base64.urlsafe_b64decode(body + "==")) == {"id": "run_xyz", "filter": "f1"}
    assert len(mac) == 43 and "=" not in body + mac


@settings(deadline=None)
@given(data=st.data())
def test_a_cursor_with_one_changed_character_is_refused(data: st.DataObject) -> None:
    text = CURSORS.encode(POSITION, FILTER)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda character: character != text[place]))
    assert _refused(text[:place] + other + text[place + 1 :])


@settings(deadline=None)
@given(text=st.text(max_size=80))
def test_any_other_text_is_refused(text: str) -> None:
    assert _refused(text)


def test_lone_surrogates_and_endless_cursors_are_refused() -> None:
    assert _refused("\ud800.\udfff")
    assert _refused(CURSORS.encode({"id": token_hex(2000)}, FILTER))


def test_a_cursor_of_another_list_is_refused() -> None:
    assert _refused(CURSORS.encode(POSITION, FILTER), filter_hash(tenant="other", status="failed"))


def test_a_cursor_signed_with_another_key_is_refused() -> None:
    assert _refused(Cursors(b"K" * 32).encode(POSITION, FILTER))


def test_filters_hash_by_content_and_not_by_order() -> None:
    assert filter_hash(a=1, b=None) == filter_hash(b=None, a=1)
    assert len({filter_hash(a=1), filter_hash(a="1"), filter_hash(a=1, b=None), filter_hash(b=1)}) == 4


def test_every_process_of_an_installation_reads_the_same_cursors(tmp_path: Path) -> None:
    installation = Settings(state_dir=str(tmp_path))
    text = cursors(installation).encode(POSITION, FILTER)
    assert cursors(installation).decode(text, FILTER) == POSITION


def test_the_key_of_the_settings_wins_and_must_not_be_short(tmp_path: Path) -> None:
    here, there = [Settings(state_dir=str(tmp_path / name), cursor_key="0123456789abcdef") for name in "ab"]
    assert cursors(there).decode(cursors(here).encode(POSITION, FILTER), FILTER) == POSITION
    with pytest.raises(SettingsError):
        cursors(Settings(state_dir=str(tmp_path), cursor_key="short"))


def test_a_hook_token_is_stored_as_its_hash() -> None:
    token, stored = issue_hook_token()
    assert hook_hash(token) == stored
    assert token not in stored and len(stored) == 64
    assert len({issue_hook_token()[0] for _ in range(1000)}) == 1000
