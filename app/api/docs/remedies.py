"""What to do about each code: of requests that are refused, and of steps that fail."""

from dataclasses import dataclass
from http import HTTPStatus

from app.domain import errors
from app.domain.errors import Rejected, StepError, WindlassError


@dataclass(frozen=True, kw_only=True)
class Code:
    """A code as its line shows it."""

    code: str
    status: str  # Of HTTP; "step" where a step fails with it.
    cause: str
    remedy: str

    @property
    def anchor(self) -> str:
        """Its place on the page."""
        return self.code.lower().replace("_", "-")


REMEDIES = {
    "VALIDATION_ERROR": "Correct the fields that `details.fields` names.",
    "UNAUTHORIZED": "Send `Authorization: Bearer KEY`; `windlass key list` tells whether the key holds.",
    "FORBIDDEN": "Use a key with the scope that the message names, or have one made: `windlass key create`.",
    "QUOTA_EXCEEDED": "Free what counts against the quota, or have it raised where it is kept.",
    "NOT_FOUND": "Check the id. What was deleted, or is older than the retention, is gone.",
    "METHOD_NOT_ALLOWED": "The header `Allow` names the methods that there are.",
    "NOT_ACCEPTABLE": "Ask for one of the media types in `details.available`, or send no `Accept`.",
    "CONFLICT": "Look at what `details` names; free or change it, then ask again.",
    "INVALID_STATE_TRANSITION": "Read the resource: `allowedActions` says what its state allows.",
    "POOL_CAPACITY_EXCEEDED": "Add servers to the pool, give some back, or ask for fewer.",
    "RESOURCE_LOCKED": "Wait for the run that holds it (`/v1/locks`), or start with `onConflict=queue`.",
    "GONE": "Make a new one; what was used or has expired does not come back.",
    "PRECONDITION_FAILED": "Read the resource again, decide again, and send its new ETag in `If-Match`.",
    "PAYLOAD_TOO_LARGE": "Send less; `details.limit` is the most, in bytes.",
    "UNSUPPORTED_MEDIA_TYPE": "Send JSON with `Content-Type: application/json`.",
    "RATE_LIMITED": "Wait as many seconds as `Retry-After` says.",
    "OTHER_RELEASE": "Update all hosts to one release; a process of the right one does it meanwhile.",
    "SCHEMA_BEHIND": "Run `windlass db upgrade` with the release that is installed.",
    "UNAVAILABLE": "Ask again after `Retry-After` seconds. `/readyz` says which part is away.",
    "STEP_FAILED": "The message says what failed. Mend it, then retry the run, or resume it if it is held.",
    "INSTALL_FAILED": "Look at the machine's console and at the image; retry, with another one if need be.",
    "CLUSTER_BUILD_FAILED": "Look at the cluster's conditions; mend template or servers, then retry.",
    "VM_START_FAILED": "Look at the virtual machine's conditions: image, memory, node. Mend it, then retry.",
    "CREDENTIAL_MISSING": "Store the credential of the machine or account, then retry.",
    "STEP_TIMED_OUT": "See what it waited for. Retry, with more time in the type if it is merely slow.",
    "SIGNAL_TIMEOUT": "Nobody sent the signal in time. Retry the run and send it.",
    "WORKER_LOST": "The worker died too often in this step: look at its log and memory, then retry.",
    "OUTCOME_UNKNOWN": "Look whether it took effect: resolve the step if it did, resume the run if not.",
    "BMC_CONNECTION_FAILED": "Check address, network and power of the management controller, then retry.",
    "BMC_AUTH_FAILED": "Correct user and password: `windlass server change`. The controller may lock itself.",
    "BMC_REFUSED": "The controller does not do this in its state. Update or reset it, then retry.",
    "BMC_UNCONFIRMED": "The controller accepted it and nothing happened. Reset the controller, then retry.",
    "KUBERNETES_UNREACHABLE": "Check address and network of the management cluster, then retry.",
    "KUBERNETES_AUTH_FAILED": "Store a kubeconfig that holds: `windlass management change`.",
    "KUBERNETES_CONFLICT": "Somebody else changes the same object. Retry; if it stays so, find who does.",
    "KUBERNETES_REFUSED": "The API server says why in the message. Correct the input, then retry.",
    "CLOUD_UNREACHABLE": "Check the account's endpoint and the network, then retry.",
    "CLOUD_AUTH_FAILED": "Store credentials that hold: `windlass account change`.",
    "CLOUD_THROTTLED": "It goes on by itself. Lower the account's calls a second if it comes often.",
    "CLOUD_NO_CAPACITY": "Choose another zone or plan, or retry later.",
    "CLOUD_REFUSED": "The provider says why in the message. Correct the definition, then retry.",
    "INTERNAL_ERROR": "The log has more under the request id or the run's id. Please report it.",
}
ELSEWHERE = "The message says what stood in the way."


def codes() -> list[Code]:
    """Every code once: refusals by their status, then failures of steps."""
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, WindlassError)
    ]
    refusals = sorted((k for k in kinds if issubclass(k, Rejected)), key=lambda k: (k.status, k.code))
    failures = sorted((k for k in kinds if issubclass(k, StepError)), key=lambda k: k.code)
    found: dict[str, Code] = {}
    for kind in (*(k for k in refusals if k is not Rejected), *failures):
        if kind.code != WindlassError.code and kind.code not in found:
            found[kind.code] = _code(kind)
    return [*found.values(), _code(WindlassError)]


def _code(kind: type[WindlassError]) -> Code:
    is_step = issubclass(kind, StepError)
    cause = " ".join((kind.__doc__ or "").strip().partition("\n\n")[0].split())
    status = "step" if is_step else f"{kind.status} {HTTPStatus(kind.status).phrase}"
    if kind is WindlassError:
        cause = "Something went wrong inside."
    return Code(code=kind.code, status=status, cause=cause, remedy=REMEDIES.get(kind.code, ELSEWHERE))
