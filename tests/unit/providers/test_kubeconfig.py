"""Kubeconfigs: what is taken from one, and what makes it unacceptable."""

import base64
from typing import Any

import pytest
import yaml

from app.domain.errors import ValidationFailed
from app.providers.kubeconfig import cleaned

CA = "-----BEGIN CERTIFICATE-----\nQ0E=\n-----END CERTIFICATE-----\n"


def encoded(text: str) -> str:
    """As kubeconfigs carry PEM texts."""
    return base64.b64encode(text.encode()).decode()


def kubeconfig(cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None) -> str:
    """A file with two contexts, of which the second is current."""
    cluster = {
        "server": "https://10.0.0.1:6443",
        "certificate-authority-data": encoded(CA),
        **(cluster or {}),
    }
    here = {"cluster": "here", "user": "me", "namespace": "ours"}
    config = {
        "current-context": "second",
        "contexts": [
            {"name": "first", "context": {"cluster": "elsewhere", "user": "x"}},
            {"name": "second", "context": here},
        ],
        "clusters": [
            {"name": "elsewhere", "cluster": {"server": "https://elsewhere"}},
            {"name": "here", "cluster": cluster},
        ],
        "users": [{"name": "me", "user": user if user is not None else {"token": "t0ken"}}],
    }
    return yaml.safe_dump(config)


def test_the_current_context_alone_is_kept() -> None:
    assert cleaned(kubeconfig()) == {"server": "https://10.0.0.1:6443", "ca": CA, "token": "t0ken"}


@pytest.mark.parametrize("separator", ["\n", "\r\n", " \n\t"])
def test_white_space_within_base64_is_skipped(separator: str) -> None:
    text = encoded(CA)
    wrapped = separator.join(text[at : at + 16] for at in range(0, len(text), 16)) + separator
    assert cleaned(kubeconfig({"certificate-authority-data": wrapped}))["ca"] == CA


def test_a_client_certificate_stands_for_a_token() -> None:
    user = {"client-certificate-data": encoded("CERT"), "client-key-data": encoded("KEY")}
    access = cleaned(kubeconfig(user=user))
    assert (access["certificate"], access["key"], "token" in access) == ("CERT", "KEY", False)


@pytest.mark.parametrize(
    ("cluster", "user", "names"),
    [
        ({}, {"exec": {"command": "aws"}}, "exec"),
        ({}, {"auth-provider": {"name": "gcp"}}, "auth-provider"),
        ({}, {"tokenFile": "/etc/passwd"}, "tokenFile"),
        ({}, {"token": "t", "client-key": "/etc/shadow"}, "client-key"),
        ({"certificate-authority": "/etc/ssl/ca.pem"}, None, "certificate-authority"),
        ({"proxy-url": "http://proxy"}, None, "proxy-url"),
        ({"server": "file:///etc"}, None, "not the URL"),
        ({"server": "https://me:secret@host"}, None, "not the URL"),
        ({"certificate-authority-data": "%%"}, None, "certificate-authority-data"),
        ({}, {}, "neither a token"),
    ],
)
def test_what_would_run_a_program_or_read_a_file_is_refused(
    cluster: dict[str, Any], user: dict[str, Any] | None, names: str
) -> None:
    with pytest.raises(ValidationFailed, match=names) as refused:
        cleaned(kubeconfig(cluster, user))
    assert set(refused.value.details["fields"]) == {"kubeconfig"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "a: [",
        "current-context: x",
        "current-context: x\ncontexts: 7",
        "!!python/object:os.system {}",
    ],
)
def test_what_is_no_kubeconfig_is_refused(text: str) -> None:
    with pytest.raises(ValidationFailed):
        cleaned(text)


def test_a_huge_file_is_refused_unread() -> None:
    with pytest.raises(ValidationFailed, match="more than"):
        cleaned("a" * 300_000)
