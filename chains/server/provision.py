"""server.provision: an operating system on a registered machine."""

from collections.abc import Mapping

from marshmallow import Schema, fields, validate

from app.domain.plan import Plan
from chains.catalogue import workflow
from tasks import server


class Image(Schema):
    """What to install (the field names of metal3's BareMetalHost)."""

    url = fields.Url(required=True, schemes={"http", "https"}, require_tld=False)
    checksum = fields.Str(validate=validate.Length(max=512))
    checksumType = fields.Str(validate=validate.OneOf(["md5", "sha256", "sha512", "auto"]))
    format = fields.Str(validate=validate.OneOf(["raw", "qcow2", "vdi", "vmdk", "live-iso"]))


class Provision(Schema):
    """Input of server.provision."""

    image = fields.Nested(Image, required=True)
    userData = fields.Str(validate=validate.Length(max=65_536))
    networkData = fields.Str(validate=validate.Length(max=65_536))


@workflow(
    "server.provision",
    scope="servers:write",
    resource="server",
    expects=Provision,
    eta="25m",
    on_failure="hold",
    hold="15m",
    example={"server_id": "srv", "image": {"url": "https://images.example/debian.qcow2"}},
)
def provision(_given: Mapping[str, object]) -> Plan:
    """Install an operating system on a registered machine."""
    return (
        # What can refuse comes before what changes the machine. The image is ordered while it is off, so that
        # no boot of ours comes before the order.
        server.validate(action="provision")
        | server.reserve()
        | server.prove_identity()
        | server.boot_from(device="network")
        | server.power(state="off")
        | server.order_image()
        | server.power(state="on")
        | server.install()
        | server.confirm()
        | server.settle(state="provisioned")
    )
