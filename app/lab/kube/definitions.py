"""The controller of CustomResourceDefinitions: what they define is served while they exist."""

from typing import ClassVar

from app.lab.kube.conditions import set_condition
from app.lab.kube.controller import Controller, status_of
from app.lab.kube.kinds import CRDS, Kind
from app.lab.kube.store import Event, Key


class Definitions(Controller):
    """See the module."""

    name: ClassVar[str] = "apiextensions"
    plural: ClassVar[str] = "customresourcedefinitions"

    def concerns(self, kind: Kind, event: Event) -> Key | None:
        if kind.id != CRDS.id:
            return None
        if event.type == "DELETED":
            self.kinds.remove(Kind.of_crd(event.record.object()))
        return event.record.key

    def reconcile(self, key: Key) -> float | None:
        content = self.find(CRDS, key)
        if content is None:
            return None
        made = Kind.of_crd(content)
        known = self.kinds.find(made.group, made.version, made.plural)
        if known is None or known.schema != made.schema:
            self.kinds.add(made)
        status = status_of(content) | {"acceptedNames": content["spec"]["names"]}
        conditions = status.setdefault("conditions", [])
        set_condition(conditions, "NamesAccepted", "True", "NoConflicts", "no conflicts found")
        set_condition(
            conditions, "Established", "True", "InitialNamesAccepted", "the names have been accepted"
        )
        self.set_status(CRDS, content, status)
        return None
