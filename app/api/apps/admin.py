"""Routes for administrators (applications, bindings, versions, quotas) and the encryption key of a run."""

from flask import Blueprint, Response, request

from app.api.apps.bodies import answer, json_object
from app.api.apps.scope import PREFIX, admin_only, app_id
from app.api.http.context import world
from app.domain.apps.refusal import bad
from app.services.apps import applications as service
from app.services.apps import encryption

blueprint = Blueprint("admin", __name__)


@blueprint.post("/api/v1/apps")
@admin_only
def create() -> Response:
    """Create an application: 201, or 200 when it exists already."""
    app = json_object().get("appId")
    made = service.create(world(), app)
    return answer({"appId": app}, 201 if made else 200)


@blueprint.get("/api/v1/apps")
@admin_only
def every() -> Response:
    """The ids of all applications."""
    return answer({"data": [{"appId": app} for app in service.listed(world())]})


@blueprint.get(PREFIX)
@admin_only
def one() -> Response:
    """One application: quotas, accounts, versions, handlers."""
    return answer(service.described(world(), app_id()))


@blueprint.post("/api/v1/apps/<app:of>/k8s-binding")
@admin_only
def bind(of: str) -> Response:
    """Allow a service account to make requests for an application."""
    namespace, account = _account()
    service.bind(world(), of, namespace, account)
    return answer({"appId": of, "namespace": namespace, "serviceAccount": account}, 201)


@blueprint.delete("/api/v1/apps/<app:of>/k8s-binding")
@admin_only
def unbind(of: str) -> Response:
    """Remove such a binding."""
    service.bind(world(), of, *_account(), undo=True)
    return answer({"deleted": True})


@blueprint.post("/api/v1/apps/<app:of>/key-binding")
@admin_only
def bind_key(of: str) -> Response:
    """Allow an API key to make requests for an application."""
    key = _key()
    service.bind_key(world(), of, key)
    return answer({"appId": of, "key": key}, 201)


@blueprint.delete("/api/v1/apps/<app:of>/key-binding")
@admin_only
def unbind_key(of: str) -> Response:
    """Remove such a binding."""
    service.bind_key(world(), of, _key(), undo=True)
    return answer({"deleted": True})


@blueprint.post(f"{PREFIX}/encryption")
@admin_only
def encrypt() -> Response:
    """Generate a new secret for an application; payloads that an older one encrypted become unreadable."""
    encryption.generate(world(), app_id())
    return answer({"encrypted": True}, 201)


@blueprint.delete(f"{PREFIX}/encryption")
@admin_only
def stop_encrypting() -> Response:
    """Delete the secret of an application: payloads of later runs are not encrypted."""
    encryption.remove(world(), app_id())
    return answer({"encrypted": False})


@blueprint.post("/api/v1/versions/notify")
@admin_only
def notify() -> Response:
    """Store the status of a deployed version."""
    body = json_object()
    names = ("applicationId", "deploymentVersion", "status")
    service.notify(world(), *(body.get(name) for name in names))
    return answer({"updated": True})


@blueprint.get(f"{PREFIX}/versions/<rest:version>/status")
@admin_only
def in_use(version: str) -> Response:
    """How many runs, hooks, waits and messages of a version are still open."""
    return answer(service.in_use(world(), app_id(), version))


@blueprint.post(f"{PREFIX}/versions/<rest:version>/expire")
@admin_only
def expire(version: str) -> Response:
    """Expire a version and cancel its open runs."""
    return answer(service.expire(world(), app_id(), version))


@blueprint.get(f"{PREFIX}/quotas")
@admin_only
def quotas() -> Response:
    """The quotas in force."""
    return answer(service.quotas(world(), app_id()))


@blueprint.put(f"{PREFIX}/quotas")
@admin_only
def set_quotas() -> Response:
    """Set quotas; those that are missing from the body return to their defaults."""
    return answer(service.set_quotas(world(), app_id(), json_object()))


@blueprint.get(f"{PREFIX}/encryption-key")
def encryption_key() -> Response:
    """The key that encrypts a run's payloads, in base64; null for an application without a secret."""
    run_id = request.args.get("runId")
    if not run_id:
        raise bad("runId is required")
    return answer({"key": encryption.key_of(world(), app_id(), run_id)})


def _key() -> str:
    key = json_object().get("key")
    if not isinstance(key, str) or not key:
        raise bad("key must be the name of an API key")
    return key


def _account() -> tuple[object, object]:
    body = json_object()
    return body.get("namespace"), body.get("serviceAccount")
