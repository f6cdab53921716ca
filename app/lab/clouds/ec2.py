"""A simulation of Amazon's EC2 query API, which verifies signatures and honours client tokens as EC2 does."""

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from app.domain.errors import WindlassError
from app.lab.clouds import signature
from app.lab.clouds.cloud import Cloud, Server
from app.lab.clouds.network_faults import answered
from app.lab.http import HttpServer, Request, Response

ACCESS_KEY, SECRET_KEY = "AKIAWINDLASSLAB00001", "windlass-lab-secret"
REGION = "eu-central-1"
ZONES = (f"{REGION}a", f"{REGION}b", f"{REGION}c")
TYPES = {"t3.micro": (2, 1024), "t3.small": (2, 2048), "t3.medium": (2, 4096), "t3.large": (2, 8192)}
CODES = {"pending": 0, "running": 16, "stopping": 64, "stopped": 80, "removing": 32, "gone": 48}
NAMES = {"removing": "shutting-down", "gone": "terminated"}
ORDERS = {"StopInstances": "stopping", "StartInstances": "pending", "TerminateInstances": "removing"}
SPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
Query = Mapping[str, str]


class Refused(Exception):
    """An order is refused with a code of EC2."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        self.code, self.message, self.status = code, message, status


class Ec2Double:
    """EC2 of one region on a port of its own."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.server = HttpServer(self._handle, _broken)
        self._actions: dict[str, Callable[[Query, int], str]] = {
            "GetCallerIdentity": self._identity,
            "DescribeInstanceTypes": self._types,
            "DescribeAvailabilityZones": self._zones,
            "DescribeImages": self._images,
            "DescribeInstances": self._describe,
            "RunInstances": self._run,
            "CreateTags": self._tag,
        }

    async def _handle(self, request: Request) -> Response | None:
        query = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        action = query.get("Action", "")
        return await answered(
            self.cloud,
            request,
            orders=action in ("RunInstances", *ORDERS),
            throttled=lambda after: _error("RequestLimitExceeded", "Request limit exceeded.", 503, after),
            work=lambda: self._answer(request, action, query),
        )

    def _answer(self, request: Request, action: str, query: Query) -> Response:
        wrong = signature.refused(request, ACCESS_KEY, SECRET_KEY)
        if self.cloud.active_faults.applies("bad_auth"):
            wrong = "AuthFailure", "AWS was not able to validate the provided access credentials"
        if wrong is not None:
            return _error(*wrong, 403 if wrong[0] == "SignatureDoesNotMatch" else 401)
        try:
            if action in ORDERS:
                told = self._turn(action, query, request.port)
            elif action in self._actions:
                told = self._actions[action](query, request.port)
            else:
                raise Refused("InvalidAction", f"The action {action} is not valid for this web service.")
        except Refused as refused:
            return _error(refused.code, refused.message, refused.status)
        body = f'<{action}Response xmlns="{SPACE}"><requestId>{secrets.token_hex(8)}</requestId>{told}'
        return _xml(200, f"{body}</{action}Response>")

    def _identity(self, query: Query, port: int) -> str:
        arn = "arn:aws:iam::123456789012:user/windlass"
        return (
            f"<GetCallerIdentityResult>{_members(Arn=arn, Account='123456789012')}</GetCallerIdentityResult>"
        )

    def _types(self, query: Query, port: int) -> str:
        items = [
            f"<item>{_members(instanceType=name)}<vCpuInfo>{_members(defaultVCpus=cpus)}</vCpuInfo>"
            f"<memoryInfo>{_members(sizeInMiB=memory)}</memoryInfo></item>"
            for name, (cpus, memory) in TYPES.items()
        ]
        return f"<instanceTypeSet>{''.join(items)}</instanceTypeSet>"

    def _zones(self, query: Query, port: int) -> str:
        items = [
            f"<item>{_members(zoneName=zone, zoneState='available', regionName=REGION)}</item>"
            for zone in ZONES
        ]
        return f"<availabilityZoneInfo>{''.join(items)}</availabilityZoneInfo>"

    def _images(self, query: Query, port: int) -> str:
        image = _members(imageId="ami-0debian12", name="debian-12-amd64", imageState="available")
        return f"<imagesSet><item>{image}</item></imagesSet>"

    def _describe(self, query: Query, port: int) -> str:
        ids = [value for name, value in query.items() if name.startswith("InstanceId.")]
        known = {one.id: one for one in self.cloud.known()} if ids else {}
        for id_ in ids:
            if id_ not in known:
                raise Refused("InvalidInstanceID.NotFound", f"The instance ID '{id_}' does not exist")
        found = [known[id_] for id_ in ids] if ids else self.cloud.listed()
        filters = _filters(query)
        items = [f"<item>{_reservation(one)}</item>" for one in found if _fits(one, filters)]
        return f"<reservationSet>{''.join(items)}</reservationSet>"

    def _run(self, query: Query, port: int) -> str:
        token, asked = query.get("ClientToken", ""), json.dumps(sorted(query.items()))
        before = None if self.cloud.faults.twins else self._ordered(token)
        if before is not None:
            if before.asked != asked:
                told = "The request uses the same client token as a previous, but non-identical request."
                raise Refused("IdempotentParameterMismatch", told)
            if before.state in ("removing", "gone"):
                told = "The instance that this client token belongs to has been terminated."
                raise Refused("IdempotentInstanceTerminated", told)
            return _reservation(before)
        self._check(query)
        made = self.cloud.make([_id(), _id()], self._wanted(query, token, asked), port)
        return _reservation(made)

    def _ordered(self, token: str) -> Server | None:
        return next((one for one in self.cloud.known() if token and one.token == token), None)

    def _check(self, query: Query) -> None:
        zone, type_ = query.get("Placement.AvailabilityZone", ZONES[0]), query.get("InstanceType", "")
        if not query.get("ImageId"):
            raise Refused("MissingParameter", "The request must contain the parameter ImageId")
        if len(query.get("ClientToken", "")) > 64:
            raise Refused("InvalidParameterValue", "Value for parameter ClientToken is invalid.")
        if type_ not in TYPES:
            raise Refused("InvalidParameterValue", f"Invalid value '{type_}' for InstanceType.")
        if zone not in ZONES:
            raise Refused("InvalidParameterValue", f"Invalid availability zone: [{zone}]")
        if self.cloud.over_quota():
            raise Refused(
                "InstanceLimitExceeded", "You have requested more instances than your limit allows."
            )
        if self.cloud.full(zone, type_):
            told = f"We currently do not have sufficient {type_} capacity in {zone}."
            raise Refused("InsufficientInstanceCapacity", told, 500)

    def _wanted(self, query: Query, token: str, asked: str) -> Server:
        tags = _tags(query, "TagSpecification.1.Tag")
        return Server(
            id="",
            name=tags.pop("Name", ""),
            plan=query["InstanceType"],
            zone=query.get("Placement.AvailabilityZone", ZONES[0]),
            labels=tags,
            address="",
            created=0.0,
            token=token,
            asked=asked,
            user_data=base64.b64decode(query.get("UserData", "")).decode("utf-8", "replace"),
            image=query["ImageId"],
        )

    def _turn(self, action: str, query: Query, port: int) -> str:
        ids = [value for name, value in query.items() if name.startswith("InstanceId.")]
        found = [(id_, self.cloud.one(id_)) for id_ in ids]
        for id_, one in found:
            if one is None:
                raise Refused("InvalidInstanceID.NotFound", f"The instance ID '{id_}' does not exist")
        changed = []
        for id_, one in found:
            if one is not None and one.state not in ("removing", "gone", ORDERS[action]):
                self.cloud.turn(one, ORDERS[action], port)
            changed.append(f"<item>{_members(instanceId=id_)}</item>")
        return f"<instancesSet>{''.join(changed)}</instancesSet>"

    def _tag(self, query: Query, port: int) -> str:
        raise Refused("UnsupportedOperation", "Tags are given with the order here.")


def _broken(error: WindlassError) -> Response:
    return _error("InvalidRequest", error.message, 400)


def _error(code: str, message: str, status: int, after: int | None = None) -> Response:
    told = f"<Errors><Error>{_members(Code=code, Message=message)}</Error></Errors>"
    answer = _xml(status, f"<Response>{told}<RequestID>{secrets.token_hex(8)}</RequestID></Response>")
    return (
        answer
        if not after
        else Response(status=status, body=answer.body, headers={**answer.headers, "Retry-After": str(after)})
    )


def _xml(status: int, text: str) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
    return Response(status=status, body=body, headers={"Content-Type": "text/xml;charset=UTF-8"})


def _members(**values: object) -> str:
    return "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in values.items())


def _reservation(one: Server) -> str:
    tags = {"Name": one.name, **one.labels}
    items = "".join(f"<item>{_members(key=key, value=value)}</item>" for key, value in tags.items())
    state = _members(code=CODES[one.state], name=NAMES.get(one.state, one.state))
    launched = datetime.fromtimestamp(one.created, UTC).isoformat(timespec="milliseconds")
    about = _members(
        instanceId=one.id,
        imageId=one.image,
        instanceType=one.plan,
        launchTime=launched.replace("+00:00", "Z"),
        **({} if one.state == "gone" else {"ipAddress": one.address, "privateIpAddress": one.address}),
    )
    place = f"<placement>{_members(availabilityZone=one.zone)}</placement>"
    inside = f"{about}<instanceState>{state}</instanceState>{place}<tagSet>{items}</tagSet>"
    return f"{_members(reservationId='r-' + one.id[2:])}<instancesSet><item>{inside}</item></instancesSet>"


def _filters(query: Query) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, value in query.items():
        parts = name.split(".")
        if parts[0] == "Filter" and parts[2] == "Name":
            start = f"Filter.{parts[1]}.Value."
            found[value] = {each for key, each in query.items() if key.startswith(start)}
    return found


def _fits(one: Server, filters: Mapping[str, set[str]]) -> bool:
    tags = {"Name": one.name, **one.labels}
    for name, values in filters.items():
        if name.startswith("tag:"):
            seen = tags.get(name.removeprefix("tag:"))
        elif name == "instance-state-name":
            seen = NAMES.get(one.state, one.state)
        elif name == "client-token":
            seen = one.token
        else:
            raise Refused("InvalidParameterValue", f"The filter '{name}' is invalid")
        if seen not in values:
            return False
    return True


def _tags(query: Query, start: str) -> dict[str, str]:
    numbers = {name.split(".")[3] for name in query if name.startswith(f"{start}.")}
    return {
        query[f"{start}.{number}.Key"]: query.get(f"{start}.{number}.Value", "") for number in sorted(numbers)
    }


def _id() -> str:
    return f"i-{secrets.token_hex(8) + '0'}"
