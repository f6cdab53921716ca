"""Sealed secrets: who can open them, what they are bound to, and how keys are rotated."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import given, settings
from hypothesis import strategies as st

from app.auth.rings import Ring, new_private_ring, private_ring, public_of, public_ring, rotate, rotated
from app.auth.seal import Opener, Sealer, SealRefused, binding, key_id_of, opener, sealer
from app.config import Settings, SettingsError

OLD = new_private_ring()
NEW = rotated(OLD)
BOUND = binding(tenant_id="default", machine_id="srv_1", version=3)
SECRET = {"username": "admin", "password": "canary-8f1c"}

words = st.text(max_size=20)
secrets = st.dictionaries(words, words | st.integers() | st.none() | st.lists(words, max_size=3), max_size=5)


@settings(max_examples=50, deadline=None)
@given(secret=secrets, bound=words)
def test_what_is_sealed_opens_to_the_same(secret: dict[str, object], bound: str) -> None:
    assert Opener(OLD).open(Sealer(public_of(OLD)).seal(secret, bound), bound) == secret


@settings(max_examples=50, deadline=None)
@given(bound=words, other=words)
def test_another_binding_does_not_open(bound: str, other: str) -> None:
    sealed = Sealer(public_of(OLD)).seal(SECRET, bound)
    if other == bound:
        assert Opener(OLD).open(sealed, other) == SECRET
        return
    with pytest.raises(SealRefused) as caught:
        Opener(OLD).open(sealed, other)
    assert caught.value.details["reason"] == "binding"


@settings(max_examples=100, deadline=None)
@given(place=st.integers(min_value=0), flip=st.integers(min_value=1, max_value=255))
def test_a_changed_byte_does_not_open(place: int, flip: int) -> None:
    head, key_id, text = Sealer(public_of(OLD)).seal(SECRET, BOUND).split(".")
    box = bytearray(base64.urlsafe_b64decode(text + "=="))
    box[place % len(box)] ^= flip
    changed = f"{head}.{key_id}.{base64.urlsafe_b64encode(box).decode().rstrip('=')}"
    with pytest.raises(SealRefused):
        Opener(OLD).open(changed, BOUND)


@settings(deadline=None)
@given(left=st.tuples(words, words, st.integers(0)), right=st.tuples(words, words, st.integers(0)))
def test_different_machines_never_share_a_binding(
    left: tuple[str, str, int], right: tuple[str, str, int]
) -> None:
    texts = [binding(tenant_id=one, machine_id=two, version=three) for one, two, three in (left, right)]
    assert (texts[0] == texts[1]) == (left == right)


def test_the_box_is_plain_hpke_of_rfc_9180() -> None:
    key_id, text = Sealer(public_of(OLD)).seal(SECRET, BOUND).split(".")[1:]
    private = X25519PrivateKey.from_private_bytes(OLD.keys[key_id])
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    info = f'["windlass.seal", "v1", "{key_id}", "[\\"default\\",\\"srv_1\\",3]"]'.encode()
    plain = suite.decrypt(base64.urlsafe_b64decode(text + "=="), private, info)
    assert plain == b'{"username":"admin","password":"canary-8f1c"}'


def test_the_same_secret_seals_differently_each_time() -> None:
    sealing = Sealer(public_of(OLD))
    assert sealing.seal(SECRET, BOUND) != sealing.seal(SECRET, BOUND)


def test_the_sealed_text_shows_nothing_of_the_secret() -> None:
    sealed = Sealer(public_of(OLD)).seal(SECRET, BOUND)
    raw = base64.urlsafe_b64decode(sealed.split(".")[2] + "==")
    assert b"canary" not in raw and b"admin" not in raw and "canary" not in sealed


def test_the_newest_key_seals_and_old_keys_still_open() -> None:
    before, after = Sealer(public_of(OLD)), Sealer(public_of(NEW))
    old, new = before.seal(SECRET, BOUND), after.seal(SECRET, BOUND)
    assert key_id_of(new) == NEW.newest != key_id_of(old)
    assert Opener(NEW).open(old, BOUND) == Opener(NEW).open(new, BOUND) == SECRET
    assert after.needs_reseal(old) and not after.needs_reseal(new)


def test_a_key_that_was_taken_away_opens_nothing() -> None:
    sealed = Sealer(public_of(NEW)).seal(SECRET, BOUND)
    with pytest.raises(SealRefused) as caught:
        Opener(OLD).open(sealed, BOUND)
    assert caught.value.details["reason"] == "key"
    assert caught.value.nothing_happened and not caught.value.retryable


def test_the_key_id_cannot_be_exchanged() -> None:
    same_key = Ring(keys={**OLD.keys, "renamed": OLD.keys[OLD.newest]})
    sealed = Sealer(public_of(OLD)).seal(SECRET, BOUND).replace(OLD.newest, "renamed")
    with pytest.raises(SealRefused):
        Opener(same_key).open(sealed, BOUND)


@pytest.mark.parametrize(
    "text", ["", "v1", "v1.x", "v1.x.y.z", "v2.x.AAAA", "v1.x.A", "v1.x.é", "v1..", "{}"]
)
def test_what_is_no_sealed_secret_is_refused(text: str) -> None:
    with pytest.raises(SealRefused):
        Opener(OLD).open(text, BOUND)


def test_a_worker_that_runs_opens_what_was_sealed_after_a_rotation(tmp_path: Path) -> None:
    installation = Settings(state_dir=str(tmp_path))
    opening = opener(installation)
    before = sealer(installation).seal(SECRET, BOUND)
    key_id = rotate(installation)
    after = sealer(installation).seal(SECRET, BOUND)
    assert key_id_of(after) == key_id
    assert opening.open(after, BOUND) == opening.open(before, BOUND) == SECRET


def test_the_settings_give_the_rings_their_values(tmp_path: Path) -> None:
    writer = Settings(state_dir=str(tmp_path), sealing_public_key=public_of(NEW).text)
    worker = Settings(state_dir=str(tmp_path), sealing_private_key=NEW.text)
    assert opener(worker).open(sealer(writer).seal(SECRET, BOUND), BOUND) == SECRET
    assert public_ring(worker) == public_of(NEW)
    assert not (tmp_path / "keys").exists()


def test_who_only_has_the_public_ring_can_neither_open_nor_rotate(tmp_path: Path) -> None:
    writer = Settings(state_dir=str(tmp_path), sealing_public_key=public_of(OLD).text)
    with pytest.raises(SettingsError):
        private_ring(writer)
    with pytest.raises(SettingsError):
        rotate(writer)


@pytest.mark.parametrize("text", ["", "# only a comment", "a", "a AAAA", "a b c", f"a.b {'A' * 43}="])
def test_a_ring_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        Ring.parse(text)


def test_a_ring_keeps_its_order_and_refuses_a_repeated_id() -> None:
    assert Ring.parse(f"# newest last\n\n{NEW.text}") == NEW
    assert Ring.parse(NEW.text).newest == NEW.newest
    with pytest.raises(SettingsError):
        Ring.parse(OLD.text + OLD.text)


def test_a_ring_shows_no_key_when_printed() -> None:
    assert OLD.text.split()[1] not in repr(OLD) and repr(OLD.keys[OLD.newest]) not in repr(OLD)
