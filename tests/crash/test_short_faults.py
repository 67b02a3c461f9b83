"""The faults run, short: a few faults on a Kafka of its own, and what its parts do; `make faults` does 200."""

import argparse
import contextlib
import random
import socket
import struct
import threading

import fault_run
import faults
import harness
import judge
import pytest
from proxy import Proxy
from segments import batches, lose_tail
from thorough import only_thorough

needs_kafka = pytest.mark.skipif(not harness.has_kafka(), reason="faults are done to a real Kafka")

SHORT = ["tail-events", "new-pending", "database", "net-cut"]


@needs_kafka
@only_thorough
def test_after_each_of_a_few_faults_every_shard_is_equal_or_says_what_was_done_to_it(tmp_path):
    options = argparse.Namespace(faults=len(SHORT), workers=2, shards=2, rate=100.0, only=SHORT)
    done = fault_run.Run(options, tmp_path, seed=3).run()
    assert [str(one) for one in done if one.verdict.outcome not in ("equal", "stopped")] == []


@needs_kafka
def test_a_model_that_is_not_the_fold_of_its_log_is_noticed(tmp_path, monkeypatch):
    def without_one(system, partition, messages, end):
        return fold_of(system, partition, messages[:10] + messages[11:], end)

    fold_of = judge.fold_of
    monkeypatch.setattr(judge, "fold_of", without_one)
    monkeypatch.setattr(judge, "GRACE_SECONDS", 1.0)
    monkeypatch.setitem(faults.FAULTS, "none", faults.FAULTS["net-cut"]._replace(name="none", lasts=(0.0, 0.0)))
    monkeypatch.setattr(fault_run.System, "begin", begin_once(fault_run.System.begin))
    options = argparse.Namespace(faults=1, workers=1, shards=1, rate=100.0, only=["none"])
    (done,) = fault_run.Run(options, tmp_path, seed=3).run()
    assert done.verdict.outcome == "silent"
    assert "updates, the fold of the log has" in done.verdict.detail


def begin_once(begin):
    """The system is begun, and not again after the last fault."""
    begun = []

    def begin_first(system):
        if not begun:
            begun.append(system)
            begin(system)

    return begin_first


def batch(first, count):
    body = bytes(11) + struct.pack(">i", count - 1) + bytes(random.Random(first).randrange(40, 400))
    return struct.pack(">qi", first, len(body)) + body


@pytest.mark.parametrize("seed", range(20))
def test_a_tail_is_lost_from_a_batch_on_and_what_is_left_is_whole(tmp_path, seed):
    counts = [1, 5, 1, 20, 3, 1, 1]
    firsts = [sum(counts[:number]) for number in range(len(counts))]
    segment = tmp_path / "00000000000000000000.log"
    segment.write_bytes(b"".join(map(batch, firsts, counts)))
    before = batches(segment)
    assert [(one.first, one.end - one.first) for one in before] == list(zip(firsts, counts, strict=True))
    (tmp_path / f"{segment.stem}.index").touch()
    lost = lose_tail(tmp_path, 0.4, random.Random(seed))
    left = batches(segment)
    assert left == before[: len(left)]
    assert (lost.end, lost.was) == (left[-1].end, sum(counts))
    assert lost.was - lost.end >= int(0.4 * lost.was)
    assert list(tmp_path.iterdir()) == [segment]


@pytest.fixture
def echoed():
    """A proxy before a server that sends everything back, and a connection through it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    taken, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=echo, args=(taken,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        proxy = Proxy(harness.steady_port(), server.getsockname()[1]).start()
        try:
            yield proxy, connected(proxy)
        finally:
            proxy.stop()
            server.shutdown(socket.SHUT_RDWR)


def echo(taken):
    with taken, contextlib.suppress(ConnectionError):
        while piece := taken.recv(1024):
            taken.sendall(piece)


def connected(proxy):
    client = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    assert exchanged(client, b"hello") == b"hello"
    return client


def exchanged(client, piece, seconds=10.0):
    client.settimeout(seconds)
    client.sendall(piece)
    return client.recv(1024)


def test_a_connection_that_is_cut_is_reset_and_no_other_is_taken(echoed):
    proxy, client = echoed
    proxy.set("cut")
    with pytest.raises(ConnectionError):
        exchanged(client, b"x")
    with pytest.raises(ConnectionError):
        connected(proxy)
    proxy.set("pass")
    connected(proxy)


def test_what_is_held_comes_later(echoed):
    proxy, client = echoed
    proxy.set("hold")
    with pytest.raises(TimeoutError):
        exchanged(client, b"late", 0.2)
    proxy.set("pass")
    client.settimeout(10)
    assert client.recv(1024) == b"late"


def test_a_connection_that_is_half_open_says_nothing_and_others_work(echoed):
    proxy, client = echoed
    assert proxy.forget() == 1
    with pytest.raises(TimeoutError):
        exchanged(client, b"x", 0.2)
    connected(proxy)
