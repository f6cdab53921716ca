"""Kubeconfigs: cleaned before they are sealed, so that nothing in them runs a program or reads a file.

What is left of one is an *access*: ``{server, ca, certificate, key, token, serverName, insecure}``, all
texts of the file itself. Whoever opens it later needs no other file and starts no process.
"""

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import urlsplit

import yaml

from app.domain.errors import ValidationFailed

LONGEST = 262_144  # Characters of a kubeconfig.

# What would make whoever uses the file run a program, or read files of the machine it runs on.
REFUSED = {
    "exec": "runs a program",
    "auth-provider": "runs code of a provider",
    "tokenFile": "reads a file",
    "client-certificate": "reads a file; give client-certificate-data",
    "client-key": "reads a file; give client-key-data",
    "certificate-authority": "reads a file; give certificate-authority-data",
    "proxy-url": "is not supported",
    "as": "is not supported",
    "username": "is not supported",
}


def cleaned(text: str) -> dict[str, object]:
    """The access that its current context gives; raises `ValidationFailed` on ``kubeconfig``."""
    config = _parsed(text)
    context = _named(config, "contexts", str(config.get("current-context") or ""), "context")
    cluster = _named(config, "clusters", str(context.get("cluster") or ""), "cluster")
    user = _named(config, "users", str(context.get("user") or ""), "user")
    for part in (cluster, user):
        for name, why in REFUSED.items():
            if name in part:
                raise refused(f"{name} {why}")
    access = {
        "server": _server(cluster),
        "ca": _pem(cluster, "certificate-authority-data"),
        "serverName": cluster.get("tls-server-name"),
        "insecure": bool(cluster.get("insecure-skip-tls-verify")),
        "certificate": _pem(user, "client-certificate-data"),
        "key": _pem(user, "client-key-data"),
        "token": user.get("token"),
    }
    if not access["token"] and not (access["certificate"] and access["key"]):
        raise refused("its user has neither a token nor a client certificate with its key")
    return {name: value for name, value in access.items() if value}


def refused(problem: str) -> ValidationFailed:
    """What is wrong with a kubeconfig."""
    return ValidationFailed.of("kubeconfig", problem)


def _parsed(text: str) -> Mapping[str, object]:
    if len(text) > LONGEST:
        raise refused(f"has more than {LONGEST} characters")
    try:
        config = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        raise refused("is not YAML") from None
    if not isinstance(config, dict):
        raise refused("is not a kubeconfig")
    return config


def _named(config: Mapping[str, object], group: str, name: str, kind: str) -> Mapping[str, object]:
    items = config.get(group)
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and item.get("name") == name and isinstance(item.get(kind), dict):
            found: Mapping[str, object] = item[kind]
            return found
    raise refused(f"has no {kind} {name!r}")


def _server(cluster: Mapping[str, object]) -> str:
    address = str(cluster.get("server") or "")
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and not parts.username
    except ValueError:
        usable = False
    if not usable:
        raise refused(f"{address!r} is not the URL of an API server")
    return address.rstrip("/")


def _pem(part: Mapping[str, object], name: str) -> str | None:
    if name not in part:
        return None
    try:
        # A block of YAML, or a file by another tool, breaks it into lines.
        return base64.b64decode("".join(str(part[name]).split()), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise refused(f"{name} is not the base64 of a PEM text") from None
