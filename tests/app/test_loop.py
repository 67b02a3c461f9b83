"""The event loop of a worker."""

import asyncio
import socket
import ssl
import threading

import pytest
import uvloop
from certificates import make_certificates

from headrace.app.loop import LoopPolicy


@pytest.fixture
def silent(tmp_path):
    """Start a TLS server that sends nothing after the handshake, not even a closing alert. Yield its address and a context that trusts it."""
    files = make_certificates(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.cert, files.key)
    taken = []

    def serve(listener):
        client, _ = listener.accept()
        taken.append(server.wrap_socket(client, server_side=True))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname(), ssl.create_default_context(cafile=files.ca)
    for client in taken:
        client.close()


async def is_closed(silent) -> bool:
    """Say whether a connection is closed long before uvloop itself would give up waiting for the closing alert."""
    address, trusted = silent
    _, writer = await asyncio.open_connection(*address, ssl=trusted)
    writer.close()
    done, _ = await asyncio.wait([asyncio.create_task(writer.wait_closed())], timeout=5)
    return bool(done)


@pytest.mark.parametrize(("policy", "closed"), [(LoopPolicy(), True), (uvloop.EventLoopPolicy(), False)])
def test_a_closed_tls_connection_does_not_wait_for_a_goodbye_that_does_not_come(silent, policy, closed):
    with asyncio.Runner(loop_factory=policy.new_event_loop) as runner:
        assert runner.run(is_closed(silent)) is closed
