"""Clients of a real Kafka that asks for certificates and passwords."""

import asyncio
import ssl
import uuid
from pathlib import Path

import harness
import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.admin import ApiVersionRequest
from certificates import make_certificates

from headrace.app.settings import parse
from headrace.app.worker import credentials_of
from headrace.learning.errors import BrokerError, SettingsError
from headrace.learning.task import Task
from headrace.tables.kafka.clients import Brokers, Login
from headrace.tables.kafka.producer import producing
from headrace.tables.kafka.topics import connect, prepare, topics_of

PROPERTIES = """
listeners=PLAINTEXT://127.0.0.1:{0},CONTROLLER://127.0.0.1:{1},TLS://127.0.0.1:{2},SCRAM://127.0.0.1:{3},PLAIN://127.0.0.1:{4}
advertised.listeners=PLAINTEXT://127.0.0.1:{0},TLS://127.0.0.1:{2},SCRAM://127.0.0.1:{3},PLAIN://127.0.0.1:{4}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,TLS:SSL,SCRAM:SASL_SSL,PLAIN:SASL_PLAINTEXT
inter.broker.listener.name=PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={ca}
listener.name.tls.ssl.client.auth=required
listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.scram.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.plain.sasl.enabled.mechanisms=PLAIN
listener.name.plain.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_mill="grain";
"""


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """The certificates, and the ports with TLS and a client's certificate, with SCRAM over TLS, and with PLAIN."""
    if not harness.has_kafka():
        pytest.skip("needs a real Kafka")
    folder = tmp_path_factory.mktemp("secured")
    files = make_certificates(folder)
    keystore = folder / "keystore.pem"
    keystore.write_text(files.key.read_text() + files.cert.read_text())
    with pytest.MonkeyPatch.context() as patch:
        ports = {}

        def steady_port(count):
            ports["first"] = first = harness_port(5)
            text = PROPERTIES.format(*range(first, first + 5), keystore=keystore, ca=files.ca)
            (folder / "more.properties").write_text(text)
            return first

        harness_port = harness.steady_port
        patch.setattr(harness, "steady_port", steady_port)
        patch.setenv("KAFKA_PROPERTIES", str(folder / "more.properties"))
        patch.setenv("KAFKA_SCRAM", "SCRAM-SHA-512=[name=mill,password=grain]")
        with harness.running_broker(real=True):
            patch.undo()
            yield files, *(f"127.0.0.1:{ports['first'] + more}" for more in (2, 3, 4))


def settings(folder, hosts, **broker):
    raw = {"broker": {"url": f"kafka://{hosts}", **broker}, "tasks": {"ads": {"kind": "binary"}}}
    return parse(raw, Path(folder) / "headrace.toml")


def sasl(mechanism, username="mill"):
    return {"mechanism": mechanism, "username": username, "password_file": "password"}


async def there_and_back(brokers):
    """Make topics, write and read."""
    task = Task(name=f"secured-{uuid.uuid4().hex[:8]}", kind="binary")
    await prepare(brokers, topics_of(task))
    async with producing(brokers) as producer:
        await producer.send_and_wait(task.events, b"grain")
    return [message.value for message in await harness.read_all(brokers, task.events)]


def test_a_client_shows_its_certificate_and_checks_the_brokers(secured):
    files, tls, _, _ = secured
    named = {"ca": files.ca.name, "cert": files.client_cert.name, "key": files.client_key.name}
    brokers = settings(files.ca.parent, tls, tls=named).brokers
    assert asyncio.run(there_and_back(brokers)) == [b"grain"]
    for wrong in ({"ca": files.ca.name}, named | {"ca": files.other_ca.name}):
        with pytest.raises(BrokerError):
            asyncio.run(connect(settings(files.ca.parent, tls, tls=wrong).brokers))


def test_scram_over_tls_and_plain_without_it(secured):
    files, _, scram, plain = secured
    folder = files.ca.parent
    (folder / "password").write_text("grain\n")
    over_tls = settings(folder, scram, tls={"ca": files.ca.name}, sasl=sasl("SCRAM-SHA-512")).brokers
    assert asyncio.run(there_and_back(over_tls)) == [b"grain"]
    assert asyncio.run(there_and_back(settings(folder, plain, sasl=sasl("PLAIN")).brokers)) == [b"grain"]
    for hosts, wrong in ((scram, over_tls), (plain, settings(folder, plain, sasl=sasl("PLAIN")).brokers)):
        login = Login(mechanism=wrong.login.mechanism, username="mill", password="chaff")
        with pytest.raises((BrokerError, KafkaError)) as refused:
            asyncio.run(connect(Brokers(hosts, tls=wrong.tls, login=login)))
        assert "chaff" not in str(refused.value)


def test_a_worker_learns_and_answers_through_scram_and_tls(secured, tmp_path, monkeypatch):
    files, _, scram, _ = secured
    monkeypatch.setenv("HEADRACE_SASL_PASSWORD", "grain")
    name = f"scram-{uuid.uuid4().hex[:8]}"
    security = f'[broker.tls]\nca = "{files.ca}"\n[broker.sasl]\nmechanism = "SCRAM-SHA-512"\nusername = "mill"\n'
    worker = harness.Worker(tmp_path / "worker", scram, f'{security}[tasks.{name}]\nkind = "binary"\n').start()
    try:
        worker.wait_ready()
        assert worker.post(f"/v1/{name}/samples", {"features": {"x": 1}, "label": True})[0] == 202
        harness.wait_for(lambda: worker.get(f"/v1/{name}")["shards"][0]["updates"] == 1, 20, "learned")
        assert "grain" not in worker.log()
    finally:
        worker.stop("SIGKILL")


def test_no_way_of_showing_it_shows_the_password():
    login = Login(mechanism="PLAIN", username="mill", password="grain")
    brokers = Brokers("one:9092", login=login)
    shown = f"{login} {login!r} {brokers} {brokers!r} {[brokers]} {credentials_of(brokers)!r}"
    assert "grain" not in shown
    assert "one:9092" in shown


def test_faust_is_told_the_same_security():
    from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

    context = ssl.create_default_context()
    login = Login(mechanism="SCRAM-SHA-256", username="mill", password="grain")
    for brokers in (
        Brokers("one:9092"),
        Brokers("one:9092", tls=context),
        Brokers("one:9092", login=login),
        Brokers("one:9092", context, login),
    ):
        told = credentials_to_aiokafka_auth(credentials_of(brokers))
        assert {name: value for name, value in told.items() if value is not None} == brokers.security


@pytest.mark.parametrize(
    ("broker", "said"),
    [
        ({"tls": {"ca": "nowhere.pem"}}, "nowhere.pem"),
        ({"tls": {"key": "k.pem"}}, "broker.tls.cert"),
        ({"sasl": {"mechanism": "PLAIN", "username": "mill"}}, "HEADRACE_SASL_PASSWORD"),
        ({"sasl": {"mechanism": "PLAIN", "username": "mill", "password_file": "nowhere"}}, "nowhere"),
        ({"sasl": {"mechanism": "GSSAPI", "username": "mill"}}, "broker.sasl.mechanism"),
        ({"sasl": {"mechanism": "PLAIN", "user": "mill"}}, "Did you mean 'username'"),
        ({"tls": {"cas": "x"}}, "Did you mean 'ca'"),
        ({"tls": "yes"}, "broker.tls"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_by_name(tmp_path, monkeypatch, broker, said):
    monkeypatch.delenv("HEADRACE_SASL_PASSWORD", raising=False)
    with pytest.raises(SettingsError) as refused:
        _ = settings(tmp_path, "one:9092", **broker).brokers
    assert said in str(refused.value)


def test_the_password_may_be_in_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADRACE_SASL_PASSWORD", "grain")
    found = settings(tmp_path, "one:9092", tls=True, sasl={"mechanism": "PLAIN", "username": "mill"}).brokers
    assert found.security["sasl_plain_password"] == "grain"
    assert found.security["security_protocol"] == "SASL_SSL"


def test_a_connection_whose_transport_is_closed_fails_as_one_that_is_broken():
    """uvloop's RuntimeError would end the task of a client that fetches, or asks for metadata; the client would wait for ever."""

    async def check():
        async def answer(reader, writer):
            await reader.read()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        connection = AIOKafkaConnection(*server.sockets[0].getsockname(), request_timeout_ms=1_000)
        connection._versions = {18: (0, 0)}
        connection._reader, connection._writer = await asyncio.open_connection(connection.host, connection.port)
        connection._read_task = asyncio.create_task(asyncio.sleep(60))
        closed = []
        connection._on_close_cb = lambda *told: closed.append(told)
        connection._writer.transport.abort()
        await asyncio.sleep(0.05)
        with pytest.raises(RuntimeError, match="handler is closed"):
            connection._writer.write(b"x")
        with pytest.raises(KafkaConnectionError, match="broken"):
            connection.send(ApiVersionRequest())
        assert [reason for _, reason in closed] == [CloseReason.CONNECTION_BROKEN]
        assert not connection.connected()
        server.close()

    uvloop.run(check())
