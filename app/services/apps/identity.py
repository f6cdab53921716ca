"""The callers of the apps API, and the application that a request is about.

A setting (`Settings.apps_mode`) decides how callers are identified:

=============  ============================================  ==========================================
Mode           Caller                                        Application
=============  ============================================  ==========================================
none           anyone who reaches the port, an administrator the only one, whatever the path says
ecs            anyone who reaches the port, an administrator the one of the path
keys           an API key with the scope ``apps``            one that the key is bound to
kubernetes     a service account, by its token               one that the account is bound to
=============  ============================================  ==========================================

A key with the scope ``admin`` and the account of ``K8S_ADMIN_SERVICE_ACCOUNT`` are administrators. Bindings
are read again every two seconds, and before a caller is refused.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.auth import proxies
from app.auth.keys import Principal
from app.auth.review import Reviewer
from app.config import LOOPBACK
from app.domain.apps.refusal import Refused
from app.domain.errors import Unauthorized as Unknown
from app.record.apps import applications
from app.record.apps.applications import Binding
from app.record.remembered import Remembered
from app.services import keys
from app.services.apps.admission import FRESH_S
from app.services.apps.applications import KEYS, known, not_found
from app.services.context import AppContext

LONGEST_HEADER = 32_768
MOST_KEYS = 1_000
OWN_SITES = frozenset({"same-origin", "none"})  # `Sec-Fetch-Site` of requests by our pages or by the user.


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The caller of a request."""

    admin: bool = False
    apps: frozenset[str] = frozenset()  # The applications that the caller is bound to.
    who: Binding | None = None  # The caller's account or key, in the modes that have one.


ADMIN = Caller(admin=True)


def unauthorized(why: str) -> Refused:
    """The refusal for a caller who is not identified."""
    return Refused(401, f"Unauthorized: {why}", code="WF_UNAUTHORIZED")


def forbidden(why: str) -> Refused:
    """The refusal for a caller without permission."""
    return Refused(403, f"Forbidden: {why}", code="WF_FORBIDDEN")


class Guard:
    """Identifies the callers of the apps API, and checks which applications they may use."""

    def __init__(self, world: AppContext) -> None:
        self._world = world
        self.mode = world.settings.apps_mode
        self._who: Callable[[Mapping[str, object]], Caller] = {
            "none": self._anybody,
            "ecs": self._anybody,
            "keys": self._by_key,
            "kubernetes": self._by_account,
        }[self.mode]
        self._keys = Remembered(MOST_KEYS)
        self._provisioned = False
        folder = Path(world.settings.kube_account_dir)
        self._reviewer = Reviewer(world.settings.kube_api_server, folder, world.settings.kube_ca_cert)

    def caller(self, environ: Mapping[str, object]) -> Caller:
        """The caller of the request with this WSGI environment; raises `Refused` or `Unavailable`."""
        return self._who(environ)

    def application(self, caller: Caller, app: str) -> str:
        """The application that a path with ``app`` means for this caller; raises `Refused`."""
        if self.mode == "none":
            return self._implicit()
        try:
            return self._allowed(caller, app)
        except Refused:
            # Another process may just have created the application, or bound the caller to it. A client takes
            # a refusal as final, so the cached bindings are read again before one is given.
            return self._allowed(self._seen_anew(caller), app)

    def _seen_anew(self, caller: Caller) -> Caller:
        for question in ("apps.known", "apps.bindings"):
            self._world.db.forget(question)
        return caller if caller.who is None else self._bound_caller(caller.who, admin=caller.admin)

    def _bound_caller(self, who: Binding, *, admin: bool) -> Caller:
        return Caller(admin=admin, apps=self._bound().get(who, frozenset()), who=who)

    def _allowed(self, caller: Caller, app: str) -> str:
        if caller.apps:
            if app in caller.apps:
                return app
            raise forbidden("app ID mismatch")
        if not caller.admin:
            raise unauthorized("invalid credentials")
        if app not in known(self._world):
            raise not_found(app)
        return app

    def _implicit(self) -> str:
        app = self._world.settings.apps_default
        if not self._provisioned:
            self._world.db.write(lambda tx: applications.insert(tx, app))
            self._provisioned = True
        return app

    def _anybody(self, environ: Mapping[str, Any]) -> Caller:
        """Any caller, except pages of other origins in a browser on this machine."""
        host = environ.get("HTTP_HOST", "")
        origin = environ.get("HTTP_ORIGIN")
        own = f"{environ.get('wsgi.url_scheme', 'http')}://{host}"
        if origin is not None and origin.lower() != own.lower():
            raise forbidden("without tokens no page of another origin is answered")
        if environ.get("HTTP_SEC_FETCH_SITE", "none").lower() not in OWN_SITES:
            raise forbidden("without tokens no page of another site is answered")
        if self._world.settings.apps_on_loopback:
            # Behind a proxy, requests from anywhere would seem to come from this machine.
            headers = (name.removeprefix("HTTP_").replace("_", "-") for name in environ)
            if proxies.came_through_one(headers):
                raise forbidden("without tokens nobody is answered through a proxy")
            if _name_of(host) not in LOOPBACK:
                raise forbidden("without tokens 127.0.0.1, localhost and [::1] are answered alone")
        return ADMIN

    def _by_key(self, environ: Mapping[str, object]) -> Caller:
        token = _token(environ)
        principal = self._principal(token)
        admin = principal.allows("admin")
        if not admin and not principal.allows("apps"):
            raise forbidden("the API key lacks the scope apps")
        return self._bound_caller((KEYS, principal.name), admin=admin)

    def _principal(self, token: str) -> Principal:
        """The principal of a key; a key that was revoked is accepted for two more seconds."""
        # Only valid keys are cached, so that guessed ones occupy no memory.
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        try:
            return self._keys.answer(digest, lambda: keys.principal_of(self._world, token), FRESH_S)
        except Unknown:
            raise unauthorized("invalid credentials") from None

    def _by_account(self, environ: Mapping[str, object]) -> Caller:
        account = self._reviewer.account(_token(environ))
        if account is None:
            raise unauthorized("invalid credentials")
        admin = self._world.settings.kube_admin == f"{account.namespace}:{account.name}"
        return self._bound_caller((account.namespace, account.name), admin=admin)

    def _bound(self) -> dict[Binding, frozenset[str]]:
        return self._world.db.remembered("apps.bindings", applications.all_bindings, for_s=FRESH_S)


def _token(environ: Mapping[str, object]) -> str:
    header = str(environ.get("HTTP_AUTHORIZATION", ""))
    kind, _, token = header.partition(" ")
    if kind.lower() != "bearer" or not token.strip() or len(header) > LONGEST_HEADER:
        raise unauthorized("missing or invalid Authorization header")
    return token.strip()


def _name_of(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
