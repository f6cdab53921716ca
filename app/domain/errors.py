"""Every error Windlass raises on purpose, as one tree.

    WindlassError
     ├─ Rejected                      a request that changes nothing
     │   ├─ ValidationFailed          400 VALIDATION_ERROR
     │   ├─ Unauthorized              401 UNAUTHORIZED
     │   ├─ Forbidden                 403 FORBIDDEN
     │   ├─ QuotaExceeded             403 QUOTA_EXCEEDED
     │   ├─ NotFound                  404 NOT_FOUND
     │   ├─ MethodNotAllowed          405 METHOD_NOT_ALLOWED
     │   ├─ NotAcceptable             406 NOT_ACCEPTABLE
     │   ├─ Conflict                  409 CONFLICT
     │   │   └─ ResourceLocked        409 RESOURCE_LOCKED
     │   ├─ InvalidStateTransition    409 INVALID_STATE_TRANSITION
     │   ├─ PoolCapacityExceeded      409 POOL_CAPACITY_EXCEEDED
     │   ├─ Gone                      410 GONE
     │   ├─ PreconditionFailed        412 PRECONDITION_FAILED
     │   ├─ PayloadTooLarge           413 PAYLOAD_TOO_LARGE
     │   ├─ UnsupportedMediaType      415 UNSUPPORTED_MEDIA_TYPE
     │   ├─ RateLimited               429 RATE_LIMITED
     │   └─ Unavailable               503 UNAVAILABLE
     │       ├─ ConnectionRefused     503 UNAVAILABLE
     │       └─ SchemaBehind          503 SCHEMA_BEHIND
     ├─ StepError                     a step that did not reach its goal
     │   ├─ Permanent                 STEP_FAILED
     │   │   ├─ InstallFailed         INSTALL_FAILED
     │   │   ├─ ClusterBuildFailed    CLUSTER_BUILD_FAILED
     │   │   ├─ VmStartFailed         VM_START_FAILED
     │   │   └─ CredentialMissing     CREDENTIAL_MISSING
     │   ├─ StepTimedOut              STEP_TIMED_OUT
     │   ├─ NoSignal                  SIGNAL_TIMEOUT
     │   ├─ WorkerLost                WORKER_LOST
     │   ├─ OutcomeUnknown            OUTCOME_UNKNOWN
     │   ├─ BmcError                  INTERNAL_ERROR
     │   │   ├─ BmcConnectionFailed   BMC_CONNECTION_FAILED
     │   │   ├─ BmcAuthFailed         BMC_AUTH_FAILED
     │   │   ├─ BmcRefused            BMC_REFUSED
     │   │   └─ BmcUnconfirmed        BMC_UNCONFIRMED
     │   ├─ KubeError                 INTERNAL_ERROR
     │   │   ├─ KubeUnreachable       KUBERNETES_UNREACHABLE
     │   │   ├─ KubeAuthFailed        KUBERNETES_AUTH_FAILED
     │   │   ├─ KubeConflict          KUBERNETES_CONFLICT
     │   │   ├─ KubeRefused           KUBERNETES_REFUSED
     │   │   ├─ KubeNotFound          KUBERNETES_REFUSED
     │   │   └─ KubeQuotaExceeded     QUOTA_EXCEEDED
     │   └─ CloudError                INTERNAL_ERROR
     │       ├─ CloudUnreachable      CLOUD_UNREACHABLE
     │       ├─ CloudAuthFailed       CLOUD_AUTH_FAILED
     │       ├─ CloudThrottled        CLOUD_THROTTLED
     │       ├─ CloudNoCapacity       CLOUD_NO_CAPACITY
     │       └─ CloudRefused          CLOUD_REFUSED
     │           └─ CloudQuotaExceeded QUOTA_EXCEEDED
     └─ PlanError                     a plan that cannot be wired

The class docstring is the default message; ``code`` and ``status`` are public (contracts/runs.rst#errors).
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any, ClassVar

MOST_FIELDS = 20  # Fields that one refusal names.


class WindlassError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    status: ClassVar[int] = 500

    def __init__(self, message: str | None = None, **details: Any) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.details = details
        super().__init__(self.message)


class Rejected(WindlassError):
    """The request was refused and changed nothing."""

    status = 400


class ValidationFailed(Rejected):
    """The request is not valid."""

    code, status = "VALIDATION_ERROR", 400

    @classmethod
    def of(cls, field: str, problem: str) -> "ValidationFailed":
        """One field is wrong: `details.fields` names it (contracts/runs.rst#envelope)."""
        return cls(f"{field}: {problem}", fields={field: problem})

    @classmethod
    def many(cls, problems: Mapping[str, str], **details: object) -> "ValidationFailed":
        """Several fields are wrong; the first of them are named, and how many more there are."""
        shown = dict(islice(((name[:128], problem) for name, problem in problems.items()), MOST_FIELDS))
        left = max(0, len(problems) - MOST_FIELDS)
        sentences = [f"{name}: {problem}" for name, problem in shown.items()]
        message = "; ".join(sentences)[:2000] + (f"; and {left} fields more" if left else "")
        return cls(message, fields=shown, **details, **({"omitted": left} if left else {}))


class Unauthorized(Rejected):
    """A valid API key is required."""

    code, status = "UNAUTHORIZED", 401


class Forbidden(Rejected):
    """The API key lacks the scope for this request."""

    code, status = "FORBIDDEN", 403


class QuotaExceeded(Rejected):
    """The quota is used up."""

    code, status = "QUOTA_EXCEEDED", 403


class NotFound(Rejected):
    """There is no such resource."""

    code, status = "NOT_FOUND", 404


class MethodNotAllowed(Rejected):
    """The resource does not support this method."""

    code, status = "METHOD_NOT_ALLOWED", 405


class NotAcceptable(Rejected):
    """The answer is not available in the media type asked for."""

    code, status = "NOT_ACCEPTABLE", 406


class Conflict(Rejected):
    """Something else is in the way."""

    code, status = "CONFLICT", 409


class ResourceLocked(Conflict):
    """Another run works on one of the resources."""

    code = "RESOURCE_LOCKED"


class InvalidStateTransition(Rejected):
    """The present state does not allow this."""

    code, status = "INVALID_STATE_TRANSITION", 409


class PoolCapacityExceeded(Rejected):
    """Not enough available servers in the pool."""

    code, status = "POOL_CAPACITY_EXCEEDED", 409


class Gone(Rejected):
    """This was used or has expired."""

    code, status = "GONE", 410


class PreconditionFailed(Rejected):
    """The resource changed since it was read."""

    code, status = "PRECONDITION_FAILED", 412


class PayloadTooLarge(Rejected):
    """The body is larger than allowed."""

    code, status = "PAYLOAD_TOO_LARGE", 413


class UnsupportedMediaType(Rejected):
    """The body must be application/json."""

    code, status = "UNSUPPORTED_MEDIA_TYPE", 415


class RateLimited(Rejected):
    """Too many requests."""

    code, status = "RATE_LIMITED", 429


class Unavailable(Rejected):
    """The service cannot answer just now."""

    code, status = "UNAVAILABLE", 503


class Contended(Unavailable):
    """One thing could not be read or changed just now, most likely because somebody else holds it."""


class ConnectionRefused(Unavailable):
    """The database refuses the connection; the log of the service says why."""

    def __init__(self, said: str) -> None:
        # For operators: what a database says here may name users, hosts and databases.
        super().__init__(f"the database refuses the connection: {said}")

    @property
    def public(self) -> Unavailable:
        """What a caller may read of it."""
        return Unavailable((type(self).__doc__ or "").strip())


class SchemaBehind(Unavailable):
    """The database's schema is not the one that this release needs; run ``windlass db upgrade``."""

    code, status = "SCHEMA_BEHIND", 503


class OtherRelease(Rejected):
    """What is to be moved is of a release whose processes know it; this one leaves it to them."""

    code, status = "OTHER_RELEASE", 503


class StepError(WindlassError):
    """A step did not reach its goal.

    ``retryable`` tells whether another attempt may help; ``nothing_happened`` is true only when it is
    certain that the step had no effect, so that neither observation nor undo is needed. No other attempt
    begins before ``retry_after_ms``, which whoever was asked wants to be left alone for.
    """

    retryable: bool = True
    nothing_happened: bool = False
    passing_ms: int = 0  # It passes by itself: attempts go on for so long, whatever the policy of the step.
    counts: bool = True  # False: the attempt is not counted, for somebody asked us to come back later.

    def __init__(
        self,
        message: str | None = None,
        *,
        nothing_happened: bool | None = None,
        retry_after_ms: int = 0,
        **details: object,
    ) -> None:
        super().__init__(message, **details)
        self.retry_after_ms = retry_after_ms
        if nothing_happened is not None:
            self.nothing_happened = nothing_happened


class Permanent(StepError):
    """A step failed in a way that another attempt cannot mend."""

    code = "STEP_FAILED"
    retryable = False


class InstallFailed(Permanent):
    """The installer of a server reported a failure."""

    code = "INSTALL_FAILED"


class ClusterBuildFailed(Permanent):
    """The deployment of a cluster says that it cannot be built."""

    code = "CLUSTER_BUILD_FAILED"


class VmStartFailed(Permanent):
    """A virtual machine says that it cannot run."""

    code = "VM_START_FAILED"


class CredentialMissing(Permanent):
    """There is nothing to log in with."""

    code = "CREDENTIAL_MISSING"
    nothing_happened = True


class StepTimedOut(StepError):
    """The step ran longer than its time limit."""

    code = "STEP_TIMED_OUT"


class NoSignal(StepError):
    """No signal came in time."""

    code = "SIGNAL_TIMEOUT"


class WorkerLost(StepError):
    """The worker died or lost its lease while it ran the step."""

    code = "WORKER_LOST"


class OutcomeUnknown(StepError):
    """It cannot be told whether the step took effect, and it must not be repeated."""

    code = "OUTCOME_UNKNOWN"
    retryable = False


class BmcError(StepError):
    """The management controller did not do what was asked; ``details.reason`` carries the finer word."""


class BmcConnectionFailed(BmcError):
    """The management controller could not be reached, or the connection to it was lost."""

    code = "BMC_CONNECTION_FAILED"


class BmcAuthFailed(BmcError):
    """The management controller refused the login."""

    code = "BMC_AUTH_FAILED"
    retryable = False
    nothing_happened = True


class BmcRefused(BmcError):
    """The management controller refused the command."""

    code = "BMC_REFUSED"


class BmcUnconfirmed(BmcError):
    """The management controller said yes, but nothing changed."""

    code = "BMC_UNCONFIRMED"


class KubeError(StepError):
    """A Kubernetes API server did not do what was asked; ``details.status`` is its answer, if any."""


class KubeUnreachable(KubeError):
    """The Kubernetes API server could not be reached, is overloaded, or has failed."""

    code = "KUBERNETES_UNREACHABLE"


class KubeAuthFailed(KubeError):
    """The Kubernetes API server does not know who asks; another kubeconfig may be set meanwhile."""

    code = "KUBERNETES_AUTH_FAILED"
    nothing_happened = True


class KubeConflict(KubeError):
    """The object is in a state, or in hands, that do not allow this."""

    code = "KUBERNETES_CONFLICT"
    nothing_happened = True


class KubeRefused(KubeError):
    """The Kubernetes API server refused the request, and would do so again."""

    code = "KUBERNETES_REFUSED"
    retryable = False
    nothing_happened = True


class KubeNotFound(KubeRefused):
    """The Kubernetes API server says what is not there; ``details.missing`` names it."""


class KubeQuotaExceeded(KubeRefused):
    """The quota of the namespace is used up."""

    code = "QUOTA_EXCEEDED"


class CloudError(StepError):
    """A cloud did not do what was asked; ``details.reason`` carries its own word, if any."""


class CloudUnreachable(CloudError):
    """The cloud could not be reached, has failed, or its answer was lost or makes no sense."""

    code = "CLOUD_UNREACHABLE"


class CloudAuthFailed(CloudError):
    """The cloud does not know who asks, or does not allow this; set the right credentials of the account."""

    code = "CLOUD_AUTH_FAILED"
    retryable = False
    nothing_happened = True


class CloudThrottled(CloudError):
    """The account is asked too often, by us or by others, and is left alone for ``retry_after_ms``."""

    code = "CLOUD_THROTTLED"
    nothing_happened = True
    passing_ms = 86_400_000
    counts = False


class CloudNoCapacity(CloudError):
    """The cloud has no room for this plan in this zone just now."""

    code = "CLOUD_NO_CAPACITY"
    nothing_happened = True


class CloudRefused(CloudError):
    """The cloud refused the request, and would do so again."""

    code = "CLOUD_REFUSED"
    retryable = False
    nothing_happened = True


class CloudQuotaExceeded(CloudRefused):
    """The account may not have more; remove something, or have the provider raise the limit."""

    code = "QUOTA_EXCEEDED"


class PlanError(WindlassError):
    """The plan cannot be wired."""

    code = "PLAN_INVALID"
    status = 500
