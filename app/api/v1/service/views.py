"""The service as a whole: search, what it is, what is wrong with it."""

from typing import Any

from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.v1.service import examples
from app.api.v1.service.schemas import AboutShape, DoctorShape, Hit, SearchQuery
from app.services import about as facts
from app.services import doctor
from app.services import search as looking

service = Family("service", "The service as a whole: search, what it is, what is wrong with it.")


@service.serve("GET", "/v1/search", "search", scope="runs:read")
@service.arguments(SearchQuery, location="query")
@service.response(200, Hit(many=True), example=[examples.HIT])
def search(query: dict[str, Any]) -> Answer:
    """What a text may mean: runs by a part of their id, resources by name, serial number or address."""
    return looking.search(world(), principal(), query["q"], query["limit"])


@service.serve("GET", "/v1/about", "about", scope="runs:read")
@service.response(200, AboutShape, example=examples.ABOUT)
def about() -> Answer:
    """Release, schema, sizes and retention; the settings in force for administrators."""
    return facts.about(world(), principal())


@service.serve("GET", "/v1/doctor", "doctor", scope="runs:read")
@service.response(200, DoctorShape, example=examples.DOCTOR)
def examine() -> Answer:
    """What does not hold, and what to do about it; as it was within the last half minute."""
    found = doctor.lately(world())
    return {"ok": not found, "findings": found}
