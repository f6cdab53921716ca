"""What all Redfish resources have in common (DSP0266, section 9)."""

Resource = dict[str, object]

ROOT = "/redfish/v1"
CHASSIS = f"{ROOT}/Chassis/1"

WELL = {"State": "Enabled", "Health": "OK"}


def link(path: str) -> Resource:
    """A reference to another resource."""
    return {"@odata.id": path}


def resource(path: str, kind: str, name: str, **fields: object) -> Resource:
    """A resource with the properties that all of them have."""
    identity = path.rsplit("/", 1)[1]
    return {"@odata.id": path, "@odata.type": f"#{kind}", "Id": identity, "Name": name, **fields}


def collection(path: str, kind: str, members: list[str]) -> Resource:
    """A collection that refers to its members."""
    links = [link(member) for member in members]
    fields = {"Members@odata.count": len(links), "Members": links}
    return resource(path, f"{kind}Collection.{kind}Collection", f"{kind} Collection", **fields)
