"""The judge of destinations: what it lets through, and the corpus of what it must not."""

import ipaddress
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.config import Settings, SettingsError
from app.domain.errors import ValidationFailed
from app.webhooks.addresses import embedded, why_special
from app.webhooks.guard import Allow, Pinned, Unresolved, judge, resolve, within


def _lines(name: str) -> list[str]:
    lines = Path(__file__).with_name(name).read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


SPECIAL, PUBLIC, SPELLINGS = _lines("special.txt"), _lines("public.txt"), _lines("spellings.txt")


def _answering(*addresses: str) -> Callable[[str, int], list[str]]:
    return lambda host, port: list(addresses)


def _problem(url: str, allow: Allow | None = None, *answers: str) -> str:
    with pytest.raises(ValidationFailed) as caught:
        judge(url, allow or Allow(), _answering(*answers) if answers else resolve)
    return str(caught.value.details["fields"]["url"])


@pytest.mark.parametrize("address", SPECIAL)
def test_a_name_that_leads_to_a_special_address_is_refused(address: str) -> None:
    assert "not public" in _problem("https://hooks.example.com/x", None, address)


@pytest.mark.parametrize("address", [one for one in SPECIAL if "%" not in one])
def test_a_special_address_written_in_the_url_is_refused(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    assert "not public" in _problem(f"https://{host}/x")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_up_to_the_edges_of_the_ranges_pass(address: str) -> None:
    assert judge("https://hooks.example.com/x", Allow(), _answering(address)).address == address


@pytest.mark.parametrize("special", ["127.0.0.1", "::1", "10.0.0.1"])
def test_one_special_answer_among_public_ones_refuses_them_all(special: str) -> None:
    for answers in ((special, *PUBLIC), (*PUBLIC, special)):
        assert "not public" in _problem("https://hooks.example.com/x", None, *answers)


@pytest.mark.parametrize("host", SPELLINGS)
def test_an_unusual_spelling_is_judged_by_what_it_resolves_to(host: str) -> None:
    assert "not public" in _problem(f"https://{host}/x")


MALFORMED = [
    "",
    "x",
    "//example.com",
    "https:",
    "https://",
    "https:///x",
    "https://:443/",
    "https://[/",
    "https://[::1",
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com:6379/_x",
    "https://user@example.com/",
    "https://u:p@example.com/",
    "https://example.com@127.0.0.1/",
    "https://@example.com/",
    "https://example.com/#x",
    "https://example.com#@127.0.0.1/",
    "https://example.com/#",
    "https://example.com\\@127.0.0.1/",
    "https://exa mple.com/",
    "https://example.com/\r\nx: y",
    "https://e\tx.com/",
    "https://example.com:0/",
    "https://example.com:22/",
    "https://example.com:25/",
    "https://example.com:65536/",
    "https://example.com:x/",
    "https://example.com:-1/",
    "https://[fe80::1%25lo]/",
    "https://[v1.x]/",
    "https://[1.2.3.4]/",
    "https://" + "a" * 64 + ".com/",
    "https://a..com/",
    "https://.com/",
    "https://*.com/",
    "https://a%2eb.com/",
    "https://example.com/" + "a" * 2048,
]


@pytest.mark.parametrize("url", MALFORMED)
def test_a_url_of_the_wrong_form_is_refused_before_anything_is_asked(url: str) -> None:
    def never(host: str, port: int) -> list[str]:
        raise AssertionError("the resolver was asked")

    with pytest.raises(ValidationFailed) as caught:
        judge(url, Allow(), never)
    assert "url" in caught.value.details["fields"]


CARRIERS = [
    "::ffff:192.0.2.33",
    "64:ff9b::192.0.2.33",
    "::ffff:0:192.0.2.33",
    "64:ff9b:1::192.0.2.33",
    "2002:c000:221::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdde",
]


@pytest.mark.parametrize("address", CARRIERS)
def test_the_ipv4_address_inside_is_found(address: str) -> None:
    assert str(embedded(ipaddress.ip_address(address))) == "192.0.2.33"
    assert "documentation" in str(why_special(ipaddress.ip_address(address)))


@settings(deadline=None)
@given(bits=st.integers(0, 2**32 - 1))
def test_an_address_that_carries_a_special_one_is_special(bits: int) -> None:
    inner = ipaddress.IPv4Address(bits)
    carriers = [0xFFFF << 32 | bits, 0x64FF9B << 96 | bits, 0xFFFF << 48 | bits, 0x2002 << 112 | bits << 80]
    if why_special(inner):
        assert all(why_special(ipaddress.IPv6Address(carrier)) for carrier in carriers)


@settings(deadline=None)
@given(bits=st.integers(0, 2**32 - 1) | st.integers(0, 2**128 - 1))
def test_no_address_is_judged_more_kindly_than_by_the_standard_library(bits: int) -> None:
    address = ipaddress.ip_address(bits)
    judged_within = isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped or bits >> 32 == 0x64FF9B << 64
    )
    if why_special(address) is None and not judged_within:
        assert address.is_global and not address.is_multicast and not address.is_private


def test_a_rebinding_name_is_resolved_once_and_the_judged_addresses_are_used() -> None:
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    pinned = judge("https://rebind.example.com/x", Allow(), lambda host, port: next(answers))
    assert pinned.addresses == ("93.184.215.14",)
    assert next(answers) == ["127.0.0.1"]


def test_a_name_without_an_address_may_have_one_later() -> None:
    with pytest.raises(Unresolved):
        judge("https://hooks.example.com/", Allow(), lambda host, port: [])
    with pytest.raises(Unresolved):
        resolve("nothing.invalid", 443)


def test_a_resolver_that_hangs_is_not_waited_for() -> None:
    released = threading.Event()

    def hanging(host: str, port: int) -> list[str]:
        released.wait(60)
        return ["8.8.8.8"]

    with pytest.raises(Unresolved):
        judge("https://hooks.example.com/", Allow(), within(0.05, hanging))
    released.set()


def test_what_is_pinned_is_what_the_url_says() -> None:
    pinned = judge(
        "https://Bücher.Example.:8443/a b?q=ü&x=1%20".replace(" ", "%20"), Allow(), _answering("8.8.8.8")
    )
    assert pinned == Pinned(
        scheme="https",
        host="xn--bcher-kva.example",
        port=8443,
        addresses=("8.8.8.8",),
        target="/a%20b?q=%C3%BC&x=1%20",
    )
    assert pinned.authority == "xn--bcher-kva.example:8443"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("faß.de", "xn--fa-hia.de"),
        ("FASS.de", "fass.de"),
        ("κλαρα-σωλις.ευ", "xn----ylba7abgd9bnh0e.xn--qxa6a"),
        ("ａｂｃ.example", "abc.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
    ],
)
def test_a_name_of_other_letters_leads_where_browsers_and_certificates_lead(host: str, name: str) -> None:
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["8.8.8.8"]

    assert (judge(f"https://{host}/hook", Allow(), resolver).host, asked) == (name, [name])


@pytest.mark.parametrize("host", ["☃.example", "a\u200db.example", "a..example", f"{'a' * 64}.example"])
def test_a_name_that_nobody_can_have_is_refused(host: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        judge(f"https://{host}/hook", Allow(), _answering("8.8.8.8"))
    assert "host name" in refused.value.details["fields"]["url"]


def test_the_host_header_has_brackets_and_no_usual_port() -> None:
    assert judge("https://[2606:4700:4700::1111]/", Allow()).authority == "[2606:4700:4700::1111]"
    assert judge("https://8.8.8.8:9443", Allow()).authority == "8.8.8.8:9443"


LISTED = Allow.of(
    Settings(webhook_allow="10.0.0.0/8, 192.168.7.9,fd00::/8, Receiver.Internal. ,", webhook_allow_http=True)
)


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.7.9", "fd00::5", "::ffff:10.0.0.1"])
def test_a_listed_network_may_be_reached(address: str) -> None:
    assert judge("http://hooks.example.com/", LISTED, _answering(address)).port == 80


BESIDE = ["192.168.7.10", "127.0.0.1", "fc00::5", "2002:a00:1::", "::10.0.0.1"]


@pytest.mark.parametrize("address", BESIDE)
def test_a_listed_network_opens_nothing_beside_it(address: str) -> None:
    assert "not public" in _problem("https://hooks.example.com/", LISTED, address)
    assert "not public" in _problem("https://hooks.example.com/", LISTED, "10.0.0.1", address)


def test_a_listed_host_may_have_any_address_and_its_neighbours_may_not() -> None:
    assert judge("https://RECEIVER.internal./", LISTED, _answering("127.0.0.1")).host == "receiver.internal"
    for host in ("receiver.internal.example.com", "x.receiver.internal", "receiver.interna"):
        assert "not public" in _problem(f"https://{host}/", LISTED, "127.0.0.1")


def test_http_needs_its_setting_and_opens_no_address() -> None:
    assert judge("http://hooks.example.com/", Allow(http=True), _answering("8.8.8.8")).scheme == "http"
    assert "not public" in _problem("http://hooks.example.com/", Allow(http=True), "127.0.0.1")


@pytest.mark.parametrize("entry", ["10.0.0.0/40", "https://x", "*", "a b", "[::1]"])
def test_an_allow_list_that_cannot_be_read_is_refused(entry: str) -> None:
    with pytest.raises(SettingsError, match="WINDLASS_WEBHOOK_ALLOW"):
        Allow.of(Settings(webhook_allow=f"10.0.0.0/8,{entry}"))
