"""The authentication of a server: bearer tokens, their users and permissions, and token reviews."""

import time
from dataclasses import dataclass

from app.lab.kube.errors import unauthorized
from app.lab.kube.store import Object


@dataclass(frozen=True, kw_only=True)
class User:
    """Who a token stands for."""

    name: str
    groups: tuple[str, ...] = ()
    reads_only: bool = False
    expires: float | None = None  # Seconds since 1970.

    def to_json(self) -> dict[str, object]:
        """As reviews tell it."""
        return {"username": self.name, "groups": [*self.groups, "system:authenticated"]}


ADMIN = User(name="system:admin", groups=("system:masters",))
ANONYMOUS = User(name="system:anonymous", groups=("system:unauthenticated",), reads_only=True)


class Tokens:
    """The tokens that one server knows."""

    def __init__(self, token: str) -> None:
        self._users: dict[str, User] = {token: ADMIN}

    def add(self, token: str, user: User) -> None:
        """Add a token, or change its user."""
        self._users[token] = user

    def revoke(self, token: str) -> None:
        """Revoke a token."""
        self._users.pop(token, None)

    def user(self, authorization: str) -> User:
        """The user of an Authorization header; raises `Refused` (401) when the token is not valid."""
        scheme, _, token = authorization.partition(" ")
        if not authorization:
            return ANONYMOUS
        found = self.find(token.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise unauthorized()
        return found

    def find(self, token: str) -> User | None:
        """The user of a token that has not expired."""
        user = self._users.get(token)
        alive = user is not None and (user.expires is None or time.time() < user.expires)
        return user if alive else None

    def review(self, body: Object) -> Object:
        """A TokenReview with its answer."""
        spec = body.get("spec", {})
        user = self.find(str(spec.get("token", "")))
        status: dict[str, object] = {"authenticated": user is not None}
        if user:
            status["user"] = user.to_json()
            status |= {"audiences": spec["audiences"]} if spec.get("audiences") else {}
        else:
            status["error"] = "invalid bearer token"
        return body | {"status": status}


def access_review(body: Object, user: User) -> Object:
    """A SelfSubjectAccessReview with its answer."""
    verb = body.get("spec", {}).get("resourceAttributes", {}).get("verb", "get")
    return body | {"status": {"allowed": not user.reads_only or verb in ("get", "list", "watch")}}
