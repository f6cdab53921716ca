"""Every failure becomes one error of the tree that says what the service said."""

import inspect

import httpx
import pytest

import windlass
from tests.unit.client.standin import Reply, Standin, problem
from windlass import Client, errors
from windlass.errors import WindlassError

MEANINGS = (
    (400, "VALIDATION_ERROR", windlass.ValidationError),
    (401, "UNAUTHORIZED", windlass.Unauthorized),
    (403, "FORBIDDEN", windlass.Forbidden),
    (403, "QUOTA_EXCEEDED", windlass.Forbidden),
    (404, "NOT_FOUND", windlass.NotFound),
    (409, "CONFLICT", windlass.Conflict),
    (409, "INVALID_STATE_TRANSITION", windlass.InvalidState),
    (409, "POOL_CAPACITY_EXCEEDED", windlass.Conflict),
    (410, "GONE", windlass.Gone),
    (412, "PRECONDITION_FAILED", windlass.PreconditionFailed),
    (429, "RATE_LIMITED", windlass.RateLimited),
    (500, "INTERNAL_ERROR", WindlassError),
    (503, "UNAVAILABLE", windlass.Unavailable),
)


@pytest.mark.parametrize(("status", "code", "kind"), MEANINGS)
def test_each_code_has_its_error(
    service: Standin, client: Client, status: int, code: str, kind: type[WindlassError]
) -> None:
    service.answers("GET", "/v1/workflows/runs/run_1", problem(status, code, "No."))

    with pytest.raises(WindlassError) as caught:
        client.runs.get("run_1")

    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.status, caught.value.message) == (code, status, "No.")
    assert caught.value.request_id == "req_local-2-abcdefabcdef"


def test_the_fields_of_a_bad_request_are_named(service: Standin, client: Client) -> None:
    refusal = problem(400, "VALIDATION_ERROR", "type: unknown", fields={"type": "unknown"})
    service.answers("POST", "/v1/workflows/runs", refusal)

    with pytest.raises(windlass.ValidationError) as caught:
        client.runs.start("server.paint")

    assert caught.value.fields == {"type": "unknown"}


def test_an_answer_that_is_no_json_still_has_its_status(service: Standin, client: Client) -> None:
    service.answers("GET", "/v1/pools/pool_1", Reply(status=500, content=b"<h1>proxy</h1>"))

    with pytest.raises(WindlassError, match="status 500"):
        client.pools.get("pool_1")


def test_every_error_of_the_tree_is_public() -> None:
    tree = {
        kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, WindlassError)
    }

    assert all(getattr(windlass, kind.__name__) is kind for kind in tree)


def test_every_transport_error_of_the_library_is_translated() -> None:
    from windlass.httpx_transport import _translated

    library = [
        kind
        for _, kind in inspect.getmembers(httpx, inspect.isclass)
        if issubclass(kind, httpx.TransportError | httpx.DecodingError)
    ]
    for kind in library:
        with pytest.raises(windlass.ConnectionFailed), _translated(httpx.URL("http://127.0.0.1:1")):
            raise kind("broken")
    assert len(library) > 10
