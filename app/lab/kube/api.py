"""The resources over HTTP: paths, verbs, media types and answers."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from app.lab.http import Request, Response
from app.lab.http import Stream as Streamed
from app.lab.kube import patches, request_fields, tables
from app.lab.kube.errors import bad_request, no_such_path, not_allowed, unsupported
from app.lab.kube.faults import ActiveFaults
from app.lab.kube.kinds import ACCESS_REVIEWS, TOKEN_REVIEWS, Kind, Kinds
from app.lab.kube.lists import Lists
from app.lab.kube.objects import Objects
from app.lab.kube.selectors import selector
from app.lab.kube.store import Key, Object
from app.lab.kube.tokens import Tokens, User, access_review
from app.lab.kube.watches import Stream, Watch, line
from app.lab.kube.writes import Write

_APPLY = "application/apply-patch+yaml"
_PATCHES: dict[str, Callable[[object, object], object]] = {
    "application/json-patch+json": patches.json_patched,
    "application/merge-patch+json": patches.merged,
    "application/strategic-merge-patch+json": patches.strategic,
}
_NAMESPACE_PARTS = ("status", "finalize")


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a path points at."""

    kind: Kind
    namespace: str | None  # None is all of them.
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> Key:
        return self.namespace or "", self.name


def target(path: str, kinds: Kinds) -> Target | None:
    """Read a path; None when no resource is there."""
    group, version, parts = _split(path)
    namespace = None
    if len(parts) >= 3 and parts[0] == "namespaces" and parts[2] not in _NAMESPACE_PARTS:
        namespace, parts = parts[1], parts[2:]
    kind = kinds.find(group, version, parts[0]) if parts else None
    if kind is None or len(parts) > 3 or (namespace is not None and not kind.namespaced):
        return None
    if not kind.namespaced:
        namespace = ""
    elif namespace is None and len(parts) > 1:
        return None
    name, subresource = [*parts[1:], "", ""][:2]
    return Target(kind=kind, namespace=namespace, name=name, subresource=subresource)


def _split(path: str) -> tuple[str, str, list[str]]:
    """Group, version and the rest."""
    _, root, *rest = path.split("/")
    if root == "api" and rest:
        return "", rest[0], rest[1:]
    if root == "apis" and len(rest) > 1:
        return rest[0], rest[1], rest[2:]
    return "", "", []


class Api:
    """The verbs of one server."""

    def __init__(self, objects: Objects, tokens: Tokens, active_faults: ActiveFaults) -> None:
        self._objects = objects
        self._tokens = tokens
        self._active_faults = active_faults
        self.bookmark_seconds = 5.0
        self.lists = Lists(objects.store)

    def answer(self, at: Target, request: Request, user: User) -> Response | Streamed:
        """Do what a request asks of a resource; raises `Refused`."""
        if at.subresource not in ("", "status") or (at.subresource and not at.kind.status):
            raise no_such_path()
        verb = verb_of(request, at)
        if verb not in at.kind.verbs:
            raise not_allowed()
        if at.kind.id in (TOKEN_REVIEWS.id, ACCESS_REVIEWS.id):
            return self._review(at.kind, request, user)
        verbs: dict[str, Callable[[Target, Request, Write], Response | Streamed]] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_all,
        }
        return verbs[verb](at, request, request_fields.write(request, user, at.subresource))

    def _review(self, kind: Kind, request: Request, user: User) -> Response:
        body = request_fields.whole(request_fields.body(request))
        made = self._tokens.review(body) if kind.id == TOKEN_REVIEWS.id else access_review(body, user)
        return Response(status=201, body=made)

    def _get(self, at: Target, request: Request, write: Write) -> Response:
        return _one(at.kind, self._objects.get(at.kind, at.key), request)

    def _list(self, at: Target, request: Request, write: Write) -> Response:
        chosen = selector(at.kind, *request_fields.selectors(request))
        limit, token = request_fields.number(request, "limit") or 0, request.query.get("continue", "")
        faults = self._active_faults.current
        is_concerned = token and faults.gone and faults.concern("list", at.kind.plural)
        if is_concerned and self._active_faults.applies("gone"):
            self.lists.forget()
        page = self.lists.page(at.kind, at.namespace, chosen, int(limit), token)
        metadata: dict[str, object] = {"resourceVersion": str(page.version)}
        metadata |= {"continue": page.token} if page.token else {}
        metadata |= {"remainingItemCount": page.remaining} if page.remaining else {}
        if tables.wanted(request.headers.get("accept", "")):
            objects = [record.object() for record in page.records]
            return Response(body=tables.table(at.kind, objects, metadata, request_fields.include(request)))
        head = {"kind": f"{at.kind.kind}List", "apiVersion": at.kind.api_version, "metadata": metadata}
        items = b",".join(record.raw for record in page.records)
        raw = b'%b,"items":[%b]}' % (json.dumps(head).encode()[:-1], items)
        return Response(body=raw, headers={"Content-Type": "application/json"})

    def _watch(self, at: Target, request: Request, write: Write) -> Streamed:
        labels, fields = request_fields.selectors(request)
        if at.name:
            fields = f"metadata.name={at.name}"
        version = request.query.get("resourceVersion", "")
        initial = request.query.get("sendInitialEvents") == "true"
        if version and not version.isdecimal():
            raise bad_request(f'resourceVersion: Invalid value: "{version}": strconv.ParseUint: parsing')
        watch = Watch(
            kind=at.kind,
            namespace=at.namespace,
            chosen=selector(at.kind, labels, fields),
            version=None if version in ("", "0") or initial else int(version),
            bookmarks=self.bookmark_seconds if request_fields.flag(request, "allowWatchBookmarks") else None,
            seconds=request_fields.number(request, "timeoutSeconds"),
            initial_end=initial,
        )
        encode = _row_line(at.kind, request) if tables.wanted(request.headers.get("accept", "")) else line
        stream = Stream(self._objects.store, watch, self._active_faults, request.gone, encode)
        return Streamed(pieces=stream.pieces(), headers={"Content-Type": "application/json"})

    def _create(self, at: Target, request: Request, write: Write) -> Response:
        made = self._objects.create(
            at.kind, at.namespace or "", request_fields.whole(request_fields.body(request)), write
        )
        return _one(at.kind, made, request, 201, write)

    def _update(self, at: Target, request: Request, write: Write) -> Response:
        body = request_fields.whole(request_fields.body(request))
        return _one(at.kind, self._objects.replace(at.kind, at.key, body, write), request, 200, write)

    def _patch(self, at: Target, request: Request, write: Write) -> Response:
        how, body = request_fields.media_type(request), request_fields.body(request)
        if how == _APPLY:
            if not request.query.get("fieldManager"):
                raise bad_request("fieldManager: Required value: is required for apply patch")
            found, new = self._objects.apply(at.kind, at.key, request_fields.whole(body), write)
            return _one(at.kind, found, request, 201 if new else 200, write)
        patch = _PATCHES.get(how)
        if patch is None or (patch is patches.strategic and at.kind.custom):
            raise unsupported(", ".join([*_PATCHES, _APPLY]))
        found = self._objects.patch(
            at.kind, at.key, lambda before: request_fields.whole(patch(before, body)), write
        )
        return _one(at.kind, found, request, 200, write)

    def _delete(self, at: Target, request: Request, write: Write) -> Response:
        found, gone = self._objects.delete(at.kind, at.key, request_fields.deletion(request), write)
        if not gone:
            return _one(at.kind, found, request)
        details = {
            "name": at.name,
            "group": at.kind.group,
            "kind": at.kind.plural,
            "uid": found["metadata"]["uid"],
        }
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": details,
        }
        return Response(body=status)

    def _delete_all(self, at: Target, request: Request, write: Write) -> Response:
        chosen, how = selector(at.kind, *request_fields.selectors(request)), request_fields.deletion(request)
        records = [one for one in self._objects.store.records(at.kind, at.namespace) if chosen.takes(one)]
        left = [self._objects.delete(at.kind, record.key, how, write)[0] for record in records]
        head = {"kind": f"{at.kind.kind}List", "apiVersion": at.kind.api_version}
        return Response(
            body=head | {"metadata": {"resourceVersion": str(self._objects.store.version)}, "items": left}
        )


def verb_of(request: Request, at: Target) -> str:
    """The verb as rules and discovery name it."""
    if request.method == "GET" and (request_fields.flag(request, "watch") and not at.subresource):
        return "watch"
    one = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
    many = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
    return (one if at.name else many).get(request.method, "")


def _one(
    kind: Kind, content: Object, request: Request, status: int = 200, write: Write | None = None
) -> Response:
    headers = (
        {"Warning": f'299 - "{"; ".join(write.warnings)}"'.replace('\\"', "")}
        if write and write.warnings
        else {}
    )
    if tables.wanted(request.headers.get("accept", "")):
        metadata = {"resourceVersion": content["metadata"]["resourceVersion"]}
        content = tables.table(kind, [content], metadata, request_fields.include(request))
    return Response(status=status, body=content, headers=headers)


def _row_line(kind: Kind, request: Request) -> Callable[[str, bytes], bytes]:
    def encode(type_: str, raw: bytes) -> bytes:
        row = tables.table(kind, [json.loads(raw)], {}, request_fields.include(request))
        return line(type_, json.dumps(row).encode())

    return encode
