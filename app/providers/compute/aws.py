"""Instances of Amazon EC2, by its query API.

boto3 costs 70 MB and 0.6 s a process, and holds python-dateutil below the version that the Kubernetes client
needs; five actions and a signature are less. boto3 and moto are the judges (tests/integration/compute).
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.etree.ElementTree import Element, ParseError, fromstring

from app.domain.errors import (
    CloudAuthFailed,
    CloudError,
    CloudNoCapacity,
    CloudQuotaExceeded,
    CloudRefused,
)
from app.providers.compute.http_client import HttpClient, sensible
from app.providers.compute.sigv4 import Signer
from app.providers.compute.values import (
    BATCH_LABEL,
    ITEM_LABEL,
    Access,
    Machine,
    Plan,
    Price,
    Spec,
    State,
    Whoami,
    oldest_first,
)

EC2, STS = "2016-11-15", "2011-06-15"  # Versions of the two APIs.
# AWS resolves the name to the newest Debian 12 of the region.
DEBIAN_12 = "resolve:ssm:/aws/service/debian/release/12/latest/amd64"
STATES: Mapping[str, State] = {
    "pending": "creating",
    "running": "running",
    "stopping": "stopped",
    "stopped": "stopped",
    "shutting-down": "removing",
}
GONE = "terminated"
AUTH = frozenset(
    {
        "AuthFailure",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
    }
)
THROTTLED = frozenset({"RequestLimitExceeded", "Throttling", "ThrottlingException"})
CAPACITY = frozenset({"InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientCapacity"})
QUOTA = frozenset({"InstanceLimitExceeded", "VcpuLimitExceeded", "ResourceCountExceeded"})
FAILED = frozenset({"InternalError", "InternalFailure", "Unavailable", "ServiceUnavailable"})
MISSING = frozenset({"InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"})
MOST_PAGES = 100  # Of one list.


class AwsCompute:
    """See `app.providers.compute.Compute`; EC2 keeps tokens, and lists late."""

    lists_late = True

    def __init__(self, access: Access) -> None:
        self.access = access
        self.region = access.region or "us-east-1"
        self._http = HttpClient(access.endpoint or f"https://ec2.{self.region}.amazonaws.com")

    @sensible()
    def whoami(self) -> Whoami:
        base = self.access.endpoint or f"https://sts.{self.region}.amazonaws.com"
        http = HttpClient(base)
        told = self._call("GetCallerIdentity", {}, service="sts", version=STS, http=http)
        return Whoami(name=_text(told, "GetCallerIdentityResult/Arn"), clock_skew_ms=http.skew_ms)

    @sensible()
    def plans(self) -> list[Plan]:
        found = [
            Plan(
                name=_text(one, "instanceType"),
                cpus=int(_text(one, "vCpuInfo/defaultVCpus") or 0),
                memory_mb=int(_text(one, "memoryInfo/sizeInMiB") or 0),
            )
            for one in self._each("DescribeInstanceTypes", {}, "instanceTypeSet/item")
        ]
        return sorted(found, key=lambda one: one.name)

    @sensible()
    def zones(self) -> list[str]:
        found = self._each("DescribeAvailabilityZones", {}, "availabilityZoneInfo/item")
        return sorted(_text(one, "zoneName") for one in found)

    def prices(self) -> list[Price]:
        return []

    @sensible()
    def find(
        self, *, token: str | None = None, name: str | None = None, batch: str | None = None
    ) -> list[Machine]:
        wanted = {f"tag:{ITEM_LABEL}": token, "tag:Name": name, f"tag:{BATCH_LABEL}": batch}
        filters: list[tuple[str, tuple[str, ...]]] = [(k, (v,)) for k, v in wanted.items() if v is not None]
        filters.append(("instance-state-name", tuple(STATES)))
        return oldest_first(list(self._machines(_filters(filters))))

    @sensible(orders=True)
    def create(self, spec: Spec, token: str) -> Machine:
        told = self._call("RunInstances", self._order(spec, token), orders=True, about=spec.name)
        return _machine(_one(told.findall("instancesSet/item"), self._http, spec.name))

    @sensible()
    def look(self, id_: str) -> Machine | None:
        try:
            found = list(self._machines({"InstanceId.1": id_}))
        except CloudRefused as error:
            if error.details.get("reason") in MISSING:
                return None
            raise
        return found[0] if found else None

    @sensible(orders=True)
    def remove(self, id_: str) -> bool:
        seen = self.look(id_)
        if seen is None:
            return True
        if seen.state != "removing":
            try:
                self._call("TerminateInstances", {"InstanceId.1": id_}, orders=True)
            except CloudRefused as error:
                if error.details.get("reason") not in MISSING:
                    raise
        return False

    def _order(self, spec: Spec, token: str) -> dict[str, str]:
        zone = self.access.zone(spec.zone)
        tags = {"Name": spec.name, ITEM_LABEL: token, BATCH_LABEL: spec.batch}
        order = {
            "ImageId": spec.image or self.access.image or DEBIAN_12,
            "InstanceType": self.access.plan(spec.plan),
            "MinCount": "1",
            "MaxCount": "1",
            "ClientToken": token,
            "TagSpecification.1.ResourceType": "instance",
        }
        for number, (key, value) in enumerate(tags.items(), 1):
            order[f"TagSpecification.1.Tag.{number}.Key"] = key
            order[f"TagSpecification.1.Tag.{number}.Value"] = value
        if zone != self.region:
            order["Placement.AvailabilityZone"] = zone
        if spec.user_data:
            order["UserData"] = b64encode(spec.user_data.encode()).decode()
        return order

    def _machines(self, query: Mapping[str, str]) -> Iterator[Machine]:
        for one in self._each("DescribeInstances", query, "reservationSet/item/instancesSet/item"):
            if _text(one, "instanceState/name") != GONE:
                yield _machine(one)

    def _each(self, action: str, query: Mapping[str, str], path: str) -> Iterator[Element]:
        """Every element of a list, a page at a time."""
        more: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            told = self._call(action, {**query, **more})
            yield from told.findall(path)
            token = _text(told, "nextToken")
            if not token:
                return
            more = {"NextToken": token}
        raise self._http.lost(action, f"its list has more than {MOST_PAGES} pages", orders=False)

    def _call(
        self,
        action: str,
        query: Mapping[str, str],
        *,
        orders: bool = False,
        about: str = "",
        service: str = "ec2",
        version: str = EC2,
        http: HttpClient | None = None,
    ) -> Element:
        http, attempt = http or self._http, f"{action}{f' of {about}' if about else ''}"
        body = urlencode({"Action": action, "Version": version, **query}).encode()
        headers = self._signer(service).headers(urlsplit(http.base).netloc, body)
        answer = http.send("POST", "/", attempt=attempt, orders=orders, content=body, headers=headers)
        content = _content(answer.content)
        if content is None:
            why = f"status {answer.status_code}, and the answer makes no sense"
            raise http.lost(attempt, why, orders=orders)
        if answer.status_code >= 300:
            raise _refusal(content, answer.status_code, attempt, http, orders)
        if content.tag != f"{action}Response":
            # An empty list of another answer would say that a machine is gone which somebody pays for.
            raise http.lost(attempt, f"the answer makes no sense: it is a {content.tag[:64]}", orders=orders)
        return content

    def _signer(self, service: str) -> Signer:
        given = self.access.credentials
        return Signer(
            access_key=given.get("access_key_id", ""),
            secret_key=given.get("secret_access_key", ""),
            session_token=given.get("session_token", ""),
            region=self.region,
            service=service,
        )


def _content(raw: bytes) -> Element | None:
    """The answer without its namespaces; None for one that is no XML, such as a proxy's page."""
    try:
        root = fromstring(raw)  # noqa: S314 - expat limits the growth of entities, the caller the bytes.
    except ParseError:
        return None
    for one in root.iter():
        one.tag = one.tag.rpartition("}")[2]
    return None if root.tag == "html" else root


def _refusal(told: Element, status: int, attempt: str, http: HttpClient, orders: bool) -> CloudError:
    code = _text(told, ".//Error/Code")
    message = _text(told, ".//Error/Message")
    if code in THROTTLED:
        return http.throttled(attempt)
    if not code or code in FAILED or (status >= 500 and code not in CAPACITY):
        return http.lost(attempt, f"status {status} {code}: {message}", orders=orders)
    kind: type[CloudError] = CloudRefused
    if code in AUTH:
        kind = CloudAuthFailed
    elif code in CAPACITY:
        kind = CloudNoCapacity
    elif code in QUOTA:
        kind = CloudQuotaExceeded
    return kind(f"{attempt}: {message} ({code})", status=status, reason=code)


def _filters(filters: list[tuple[str, tuple[str, ...]]]) -> dict[str, str]:
    query: dict[str, str] = {}
    for number, (name, values) in enumerate(filters, 1):
        query[f"Filter.{number}.Name"] = name
        query |= {f"Filter.{number}.Value.{place}": value for place, value in enumerate(values, 1)}
    return query


def _one(found: list[Element], http: HttpClient, name: str) -> Element:
    if not found:
        raise http.lost(f"RunInstances of {name}", "the answer names no instance", orders=True)
    return found[0]


def _machine(one: Element) -> Machine:
    tags = {_text(tag, "key"): _text(tag, "value") for tag in one.findall("tagSet/item")}
    addresses = (_text(one, "ipAddress"), _text(one, "privateIpAddress"))
    return Machine(
        id=_text(one, "instanceId"),
        name=tags.get("Name", ""),
        plan=_text(one, "instanceType"),
        zone=_text(one, "placement/availabilityZone"),
        state=STATES.get(_text(one, "instanceState/name"), "creating"),
        token=tags.get(ITEM_LABEL, ""),
        batch=tags.get(BATCH_LABEL, ""),
        addresses=tuple(each for each in addresses if each),
        created_at=_moment(_text(one, "launchTime")),
        problem=_text(one, "stateReason/message"),
    )


def _moment(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000) if text else 0


def _text(one: Any, path: str) -> str:
    found = one.findtext(path)
    return str(found or "")
