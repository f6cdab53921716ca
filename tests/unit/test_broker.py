"""What REDIS_URL may say, and that it says the same to everybody."""

import pytest

from app import broker
from app.config import Settings, SettingsError, environment, load
from app.wiring import celery_app

SECURE = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
OPEN = {"ssl_cert_reqs": "none", "ssl_check_hostname": False}


@pytest.mark.parametrize(
    ("url", "place", "for_celery"),
    [
        ("redis://", "127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis://there", "there:6379/0", "redis://there:6379/0"),
        ("redis://there:7000/3", "there:7000/3", "redis://there:7000/3"),
        ("redis://there?db=3", "there:6379/3", "redis://there:6379/3"),
        ("redis://[fd00::1]:7000", "fd00::1:7000/0", "redis://[fd00::1]:7000/0"),
        ("redis://:a%2Fb@there", "there:6379/0", "redis://:a%2Fb@there:6379/0"),
        ("rediss://me:pw@there/1", "there:6379/1", "rediss://me:pw@there:6379/1"),
        ("unix:///run/redis.sock", "/run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("unix://:pw@/run/r.sock?db=2", "/run/r.sock", "redis+socket://:pw@/run/r.sock?virtual_host=2"),
        ("redis+socket:///r.sock?virtual_host=2", "/r.sock", "redis+socket:///r.sock?virtual_host=2"),
    ],
)
def test_a_url_is_read_once_for_all(url: str, place: str, for_celery: str) -> None:
    read = broker.read(url)
    assert (read.place, read.celery_url) == (place, for_celery)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", SECURE),
        ("?ssl_cert_reqs=required", SECURE),
        ("?ssl_cert_reqs=CERT_REQUIRED", SECURE),
        ("?ssl_cert_reqs=none", OPEN),
        ("?ssl_cert_reqs=CERT_NONE", OPEN),
        ("?ssl_cert_reqs=optional&ssl_check_hostname=false", {**OPEN, "ssl_cert_reqs": "optional"}),
        ("?ssl_ca_certs=/etc/ca.pem", {**SECURE, "ssl_ca_certs": "/etc/ca.pem"}),
    ],
)
def test_certificates_are_verified_unless_told_otherwise(query: str, wanted: dict[str, object]) -> None:
    settings = Settings(redis_url=f"rediss://there:6380/0{query}")

    assert settings.broker.tls == wanted
    assert celery_app(settings, worker=False).conf.broker_use_ssl == wanted
    ours = settings.broker.client().connection_pool.connection_kwargs
    assert {name: ours[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("amqp://there", "allowed are redis://, rediss:// and unix://"),
        ("there:6379", "allowed are redis://"),
        ("redis://there/one", "the database is one number"),
        ("redis://there/1?db=2", "not 1 and 2"),
        ("redis://there:port", "Port could not be cast"),
        ("redis://there?ssl_cert_reqs=none", "ssl_cert_reqs: allowed after the question mark are"),
        ("rediss://there?ssl_cert_reqs=maybe", "required, optional, none"),
        ("rediss://there?ssl_check_hostname=maybe", "true and false"),
        ("unix://", "unix:///run/redis/redis.sock"),
        ("unix://there/redis.sock", "unix:///run/redis/redis.sock"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_the_start(url: str, says: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL") as refused:
        load({"REDIS_URL": url})
    assert says in refused.value.message


@pytest.mark.parametrize(
    "name",
    ["CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL", "CELERY_RESULT_BACKEND"],
)
def test_no_variable_of_celery_changes_the_broker(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "redis://elsewhere:1/6")
    settings = Settings(redis_url="redis://there:7000/3")

    app = celery_app(settings, worker=False)

    assert app.connection_for_read().as_uri() == "redis://there:7000/3"
    assert app.connection_for_write().as_uri() == "redis://there:7000/3"
    assert app.conf.result_backend is None


def test_children_get_no_variable_of_celery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_LOADER", "elsewhere")
    monkeypatch.setenv("FLOWER_PORT", "tcp://10.96.0.12:5555")
    assert not {"CELERY_LOADER", "FLOWER_PORT"} & environment(Settings()).keys()


@pytest.mark.parametrize("name", ["WINDLASS_FLOWER_PORT", "WINDLASS_VALKEY_PORT", "WINDLASS_LAB_PORT"])
def test_the_link_to_a_service_of_kubernetes_is_no_port(name: str) -> None:
    assert load({name: "tcp://10.96.0.12:5555"}) == load({})


def test_every_queue_of_the_service_is_known_to_celery() -> None:
    app = celery_app(Settings(), worker=False)
    assert sorted(app.amqp.queues) == ["app", "bmc", "cloud", "default", "kube", "webhook"]
