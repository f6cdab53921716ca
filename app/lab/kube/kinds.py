"""The kinds of objects that a server knows: some built in, the others out of CustomResourceDefinitions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Self

import yaml

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of ``kubectl get``."""

    name: str
    path: str  # JSONPath.
    type: str = "string"
    priority: int = 0  # Above 0 it shows with ``-o wide`` only.


@dataclass(frozen=True, kw_only=True, eq=False)
class Kind:
    """One resource of the API; the same only as itself, so that it can be a key."""

    kind: str
    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short: tuple[str, ...] = ()
    status: bool = False  # Whether ``/status`` is written apart.
    custom: bool = False
    verbs: tuple[str, ...] = VERBS
    schema: Mapping[str, object] | None = None
    columns: tuple[Column, ...] = ()

    @property
    def id(self) -> str:
        """Plural and group, as messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @classmethod
    def of_crd(cls, crd: Mapping[str, Any]) -> Self:
        """What a CustomResourceDefinition defines; only its stored version is served."""
        spec, names = crd["spec"], crd["spec"]["names"]
        version = next(each for each in spec["versions"] if each["storage"])
        columns = [_column(each) for each in version.get("additionalPrinterColumns", ())]
        return cls(
            kind=names["kind"],
            plural=names["plural"],
            group=spec["group"],
            version=version["name"],
            namespaced=spec["scope"] == "Namespaced",
            short=tuple(names.get("shortNames", ())),
            status="status" in version.get("subresources", {}),
            custom=True,
            schema=version["schema"]["openAPIV3Schema"],
            columns=tuple(columns),
        )


def _column(printed: Mapping[str, Any]) -> Column:
    return Column(
        name=printed["name"],
        path=printed["jsonPath"],
        type=printed["type"],
        priority=printed.get("priority", 0),
    )


NAMESPACES = Kind(
    kind="Namespace",
    plural="namespaces",
    namespaced=False,
    short=("ns",),
    status=True,
    columns=(Column(name="Status", path=".status.phase"),),
)
SECRETS = Kind(kind="Secret", plural="secrets", columns=(Column(name="Type", path=".type"),))
CRDS = Kind(
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    group="apiextensions.k8s.io",
    namespaced=False,
    short=("crd", "crds"),
    status=True,
)
EVENTS = Kind(
    kind="Event",
    plural="events",
    short=("ev",),
    columns=(
        Column(name="Type", path=".type"),
        Column(name="Reason", path=".reason"),
        Column(name="Object", path=".involvedObject.name"),
        Column(name="Message", path=".message"),
    ),
)
TOKEN_REVIEWS = Kind(
    kind="TokenReview",
    plural="tokenreviews",
    group="authentication.k8s.io",
    namespaced=False,
    verbs=("create",),
)
ACCESS_REVIEWS = Kind(
    kind="SelfSubjectAccessReview",
    plural="selfsubjectaccessreviews",
    group="authorization.k8s.io",
    namespaced=False,
    verbs=("create",),
)
BUILT_IN = (
    NAMESPACES,
    SECRETS,
    EVENTS,
    Kind(kind="ConfigMap", plural="configmaps", short=("cm",)),
    Kind(kind="ServiceAccount", plural="serviceaccounts", short=("sa",)),
    Kind(
        kind="Lease",
        plural="leases",
        group="coordination.k8s.io",
        columns=(Column(name="Holder", path=".spec.holderIdentity"),),
    ),
    TOKEN_REVIEWS,
    ACCESS_REVIEWS,
    CRDS,
)


def shipped() -> Iterator[dict[str, object]]:
    """The CustomResourceDefinitions of k0rdent, KubeVirt and CDI that come with the lab."""
    for file in sorted(resources.files(__package__).joinpath("crds").iterdir(), key=lambda each: each.name):
        yield from yaml.safe_load_all(file.read_text(encoding="utf-8"))


class Kinds:
    """Every kind of one server, by its place in the API."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        for kind in BUILT_IN:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        """Serve one more, or another form of one."""
        self._kinds[kind.group, kind.version, kind.plural] = kind

    def remove(self, kind: Kind) -> None:
        """Serve it no longer."""
        self._kinds.pop((kind.group, kind.version, kind.plural), None)

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._kinds.get((group, version, plural))

    def named(self, plural: str) -> Kind:
        """The kind with this plural; raises `KeyError`."""
        return {kind.plural: kind for kind in self._kinds.values()}[plural]

    def __iter__(self) -> Iterator[Kind]:
        return iter(list(self._kinds.values()))
