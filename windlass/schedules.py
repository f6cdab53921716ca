"""`client.schedules`: runs that are started when their time comes."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from windlass.decode import body
from windlass.models import Occurrence, Run, Schedule
from windlass.pages import Page, one, read_every, read_page
from windlass.session import Session

PATH = "/v1/schedules"


@dataclass(frozen=True, kw_only=True)
class Schedules:
    """Everything about schedules."""

    session: Session

    def list(
        self, *, type: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Schedule]:
        """One page."""
        return read_page(self.session, PATH, Schedule, {"type": type, "limit": limit, "cursor": cursor})

    def each(self, *, type: str | None = None) -> Iterator[Schedule]:
        """All schedules, or those of a type."""
        return read_every(self.session, PATH, Schedule, {"type": type, "limit": 100})

    def get(self, schedule_id: str) -> Schedule:
        """One schedule."""
        return one(Schedule, self.session.get(_path(schedule_id)))

    def create(self, /, name: str, type: str, input: object = None, **values: object) -> Schedule:
        """Start runs of a type by ``cron`` (with ``timezone``) or ``every_ms``.

        `input` is an object for a type of the catalogue, a list of arguments for a code workflow. Values:
        ``resource_id``, ``workflow_version``, ``on_failure``, ``tags``, ``overlap`` (skip, queue, replace,
        allow), ``catch_up`` (none, latest, all), ``catch_up_limit``, ``paused``.
        """
        return one(Schedule, self.session.post(PATH, body(name=name, type=type, input=input, **values)))

    def update(self, /, schedule_id: str, *, if_match: str | None = None, **changes: object) -> Schedule:
        """Change anything that `create` takes but ``type`` and ``paused``."""
        return one(Schedule, self.session.patch(_path(schedule_id), body(**changes), if_match))

    def delete(self, schedule_id: str) -> None:
        """Start nothing more; the runs stay."""
        self.session.delete(_path(schedule_id))

    def pause(self, schedule_id: str, *, reason: str | None = None) -> Schedule:
        """Start nothing until `unpause`; what would have been due meanwhile does not count as missed."""
        return one(Schedule, self.session.post(f"{_path(schedule_id)}/pause", body(reason=reason)))

    def unpause(self, schedule_id: str) -> Schedule:
        """Go on from now."""
        return one(Schedule, self.session.post(f"{_path(schedule_id)}/unpause"))

    def run(self, schedule_id: str) -> Run:
        """Start a run now, beside the due times."""
        return one(Run, self.session.post(f"{_path(schedule_id)}/run"))

    def occurrences(self, schedule_id: str, *, outcome: str | None = None) -> Iterator[Occurrence]:
        """What became of each due time, the latest first."""
        query = {"outcome": outcome, "limit": 100}
        return read_every(self.session, f"{_path(schedule_id)}/occurrences", Occurrence, query)


def _path(schedule_id: str) -> str:
    return f"{PATH}/{quote(schedule_id, safe='')}"
