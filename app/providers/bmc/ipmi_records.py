"""Sensor records, read within bounds: so many records, so many requests for each, so many bytes.

Decoding what a record means is pyghmi's; reading records and names is not, because it trusts the controller.
Source: IPMI 2.0, sections 33.11 and 33.12.
"""

from collections.abc import Iterator
from typing import Any

from app.domain.errors import BmcConnectionFailed, BmcRefused
from app.providers.bmc import ipmi_text
from app.providers.bmc.conversation import NONSENSE, Conversation

STORAGE, GET_RECORD, RESERVE = 0x0A, 0x23, 0x22
HEADER, LAST = 5, 0xFFFF
PIECE = 16  # What every controller gives.
MOST_RECORDS = 1_024
MOST_RESERVATIONS = 16
MOST_REQUESTS = 64  # For one record, reservations that were lost included.


def catalogue(talk: Conversation, command: object) -> Any:
    """Pyghmi's catalogue of sensors, filled from records that were read here; odd ones are left out."""
    module = talk.module("pyghmi.ipmi.sdr")
    odd: tuple[type[Exception], ...] = (*NONSENSE, *talk.library_errors)

    class Entry(module.SDREntry):  # type: ignore[misc, name-defined]
        def tlv_decode(self, tlv: int, data: Any) -> str:
            return ipmi_text.name(tlv, data)

    class Catalogue(module.SDR):  # type: ignore[misc, name-defined]
        def make_sdr_entry(self, sdrbytes: object) -> object:
            return Entry(sdrbytes, self.ipmicmd.get_event_constants(), False, self.mfg_id, self.prod_id)

        def get_sdr(self) -> None:
            self.broken_sensor_ids: dict[object, bool] = {}
            for record in records(talk):
                try:
                    self.add_sdr(bytearray(record))
                except odd:
                    continue  # One record that makes no sense does not hide the others.
            for twice in self.broken_sensor_ids:
                self.sensors.pop(twice, None)

    return Catalogue(command)


def records(talk: Conversation) -> Iterator[bytes]:
    """Every record of the repository, each once, although the controller's numbers may run in a circle."""
    reader, number, seen = _Reader(talk), 0, set[int]()
    while number != LAST and number not in seen and len(seen) < MOST_RECORDS:
        seen.add(number)
        number, record = reader.record(number)
        yield record


class _Reader:
    """Reads records in pieces; what lies behind the first piece wants a reservation, which may be lost."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self._reservation = 0
        self._reserved = 0

    def record(self, number: int) -> tuple[int, bytes]:
        """The number of the next record, and this one."""
        raw, following, size = b"", LAST, HEADER
        for _ in range(MOST_REQUESTS):
            answer = self._piece(number, len(raw), min(PIECE, size - len(raw)))
            if len(answer) > 2:
                following, raw = int.from_bytes(answer[:2], "little"), raw + answer[2 : 2 + PIECE]
            if len(raw) >= HEADER:
                size = HEADER + raw[4]
                if len(raw) >= size:
                    return following, raw
        raise self._talk.failure(BmcConnectionFailed, "garbled", f"sensor record {number} has no end")

    def _piece(self, number: int, offset: int, size: int) -> bytes:
        place = (*number.to_bytes(2, "little"), offset, size)
        try:
            return self._talk.ask(STORAGE, GET_RECORD, *self._reservation.to_bytes(2, "little"), *place)
        except BmcRefused:
            if self._reserved == MOST_RESERVATIONS:
                raise
            self._reserved += 1
            self._reservation = int.from_bytes(self._talk.ask(STORAGE, RESERVE)[:2], "little")
            return b""
