"""The messages of libraries are put into plain words, whatever type, bound or place they name."""

import asyncio
import gzip
import os
import socket
import ssl
import zlib
from typing import Annotated, Literal

import aiohttp
import httpx
import msgspec
import pytest
import redis.asyncio
import rocksdict
import zstandard
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, NoBrokersAvailable, UnknownTopicOrPartitionError
from plainness import foreign

from headrace.learning.plain import plain, plain_failure


class Part(msgspec.Struct):
    number: float


class All(msgspec.Struct, forbid_unknown_fields=True):
    """A field for each kind of message."""

    form: Annotated[str, msgspec.Meta(pattern=r"^[a'\"b`]+\Z")] | None = None
    count: Annotated[int, msgspec.Meta(ge=1)] = 1
    share: Annotated[float, msgspec.Meta(gt=0, le=1.5)] = 1.0
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=3)] = "x"
    few: Annotated[list[int], msgspec.Meta(min_length=1, max_length=2)] = []
    pair: tuple[int, int] = (1, 2)
    word: Literal["a", "b"] = "a"
    table: dict[Annotated[str, msgspec.Meta(max_length=2)], int] = {}
    part: Part | None = None
    either: int | str | None = None
    any_number: int | float = 1
    flag: bool = False


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"form": "no"}, "it is not in the expected form, at 'form'"),
        ({"form": 5}, "a string is expected and not a whole number, at 'form'"),
        ({"count": 0}, "a whole number from 1 is expected, at 'count'"),
        ({"count": None}, "a whole number is expected and not null, at 'count'"),
        ({"share": 0.0}, "a number above 0.0 is expected, at 'share'"),
        ({"share": 2}, "a number up to 1.5 is expected, at 'share'"),
        ({"name": ""}, "a string of at least 1 character is expected, at 'name'"),
        ({"name": "long"}, "a string of up to 3 characters is expected, at 'name'"),
        ({"few": []}, "a list of at least 1 element is expected, at 'few'"),
        ({"few": [1, 2, 3]}, "a list of up to 2 elements is expected, at 'few'"),
        ({"pair": [1]}, "a list of exactly 2 elements is expected and not 1, at 'pair'"),
        ({"pair": [1, "2"]}, "a whole number is expected and not a string, at 'pair[1]'"),
        ({"word": "c"}, "'c' is none of the words that it takes, at 'word'"),
        ({"table": {"abc": 1}}, "a string of up to 2 characters is expected, in a name, at 'table'"),
        ({"table": {"a": []}}, "a whole number is expected and not a list, at 'table[]'"),
        ({"part": {}}, "'number' is missing, at 'part'"),
        ({"part": True}, "an object is expected and not true or false, at 'part'"),
        ({"either": []}, "a whole number or a string is expected and not a list, at 'either'"),
        ({"any_number": "1"}, "a number is expected and not a string, at 'any_number'"),
        ({"flag": "yes"}, "true or false is expected and not a string, at 'flag'"),
        ({"lable": 1}, "there is no key 'lable'"),
        (5, "an object is expected and not a whole number"),
    ],
)
def test_what_does_not_fit_is_said_in_plain_words(given, said):
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(given, All)
    assert foreign(str(caught.value)), "otherwise nothing is shown"
    assert plain(caught.value) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "it ends too early"),
        (b"{}x", "something follows its end at byte 3"),
        (b'{"a":1,}', "a comma stands before '}' at byte 7"),
        (b"nothing", "invalid character at byte 4"),
        (b'"\xff"', "it is not UTF-8"),
        (b"[1 2]", "expected ',' or ']' at byte 3"),
        (b"1e999", "a number is too large"),
        (b"[" * 5_000, "it is nested too deep"),
    ],
)
def test_what_is_no_json_is_said_in_plain_words(text, said):
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError, RecursionError)) as caught:
        msgspec.json.decode(text)
    assert plain(caught.value) == said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KafkaConnectionError("Unable to bootstrap from [('::1', 1, <AddressFamily.AF_INET6: 10>), ('b', 2, 0)]"), None),
        (KafkaConnectionError("Unable to bootstrap from [('a', 1, <AddressFamily.AF_INET: 2>), ('b', 2, <AddressFamily.AF_INET: 2>)]"),
         "none of a:1, b:2 answers"),
        (KafkaTimeoutError(), "kafka timeout"),
        (UnknownTopicOrPartitionError("ads"), "unknown topic or partition: ads"),
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "127.0.0.1:1 does not answer"),
        (MemoryError(), "there is not enough memory"),
        (asyncio.CancelledError(), "cancelled"),
        (NoBrokersAvailable(), "no brokers available"),
        (TypeError("'NoneType' object is not subscriptable"), "null is not subscriptable"),
        (TimeoutError(), "timeout"),
    ],
)  # fmt: skip
def test_a_failure_is_said_without_the_class_of_its_error(error, said):
    assert said is None or plain_failure(error) == said
    assert foreign(plain_failure(error)) is None


@pytest.mark.parametrize("text", ["label 'maybe' is not one of true, false.", "`features`", "the price is 5", ""])
def test_other_texts_stay_as_they_are(text):
    assert plain(text) == text


def test_a_name_as_long_as_a_message_is_cut_before_it_is_looked_at():
    """Some rules take the square of the length: with 300,000 characters they took minutes, and the loop of a worker waited."""
    assert len(plain(f"Object contains unknown field `{'u' * 300_000}`")) < 600


# What the libraries say themselves, when it happens to them.


def nobody():
    """A port at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


async def broker():
    producer = AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{nobody()}")
    try:
        await producer.start()
    finally:
        await producer.stop()


async def web():
    async with aiohttp.ClientSession() as session:
        await session.get(f"http://127.0.0.1:{nobody()}/")


async def store():
    async with redis.asyncio.Redis(host="127.0.0.1", port=nobody()) as client:
        await client.ping()


async def connect():
    await asyncio.open_connection("127.0.0.1", nobody())


async def untrusted():
    async with httpx.AsyncClient() as client:
        await client.get(f"http://127.0.0.1:{nobody()}/")


def no_database(folder):
    (folder / "file").write_text("")
    rocksdict.Rdict(str(folder / "file" / "db"))


def locked(folder):
    held = rocksdict.Rdict(str(folder))
    try:
        rocksdict.Rdict(str(folder))
    finally:
        held.close()


def not_onnx():
    onnxruntime = pytest.importorskip("onnxruntime")
    onnxruntime.InferenceSession(b"no", providers=["CPUExecutionProvider"])


CAUSES = {
    "a broker that is away": (lambda _: asyncio.run(broker()), "none of 127.0.0.1:"),
    "a web server that is away": (lambda _: asyncio.run(web()), "does not answer"),
    "a worker that is away": (lambda _: asyncio.run(untrusted()), "connection attempts failed"),
    "Redis that is away": (lambda _: asyncio.run(store()), "127.0.0.1:"),
    "a connection": (lambda _: asyncio.run(connect()), "does not answer"),
    "a file that is missing": (lambda folder: (folder / "none").read_bytes(), "none: No such file or directory"),
    "a folder": (lambda folder: folder.read_bytes(), "Is a directory"),
    "a full disk": (lambda _: os.write(os.open("/dev/full", os.O_WRONLY), b"x"), "No space left on device"),
    "a database in a file": (no_database, "Not a directory"),
    "a database that is locked": (locked, "lock"),
    "a body that is not gzip": (lambda _: gzip.decompress(b"no"), "it is not gzip"),
    "a damaged gzip": (lambda _: zlib.decompress(b"no no no"), "incorrect header check"),
    "a damaged zstd": (lambda _: zstandard.decompress(b"no"), "frame header"),
    "no certificate": (lambda folder: ssl.create_default_context(cafile=__file__), ""),
    "no JSON": (lambda _: msgspec.json.decode(b"{,}"), "at byte"),
    "other JSON": (lambda _: msgspec.json.decode(b"[1]", type=dict[str, int]), "an object is expected and not a list"),
    "no UTF-8": (lambda _: b"\xff".decode(), "it is not UTF-8"),
    "no ASCII": (lambda _: "\xe9".encode("ascii"), "it is not ascii"),
    "no module": (lambda _: __import__("headrace_none"), "there is no module 'headrace_none'"),
    "a key that is missing": (lambda _: {}["price"], "there is no 'price'"),
    "no ONNX file": (lambda _: not_onnx(), "failed"),
    "a null": (lambda _: len(None), "null has no len()"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_what_a_library_says_is_said_without_its_words(cause, tmp_path):
    fail, said = CAUSES[cause]
    with pytest.raises(BaseException) as caught:  # noqa: PT011 each library has errors of its own
        fail(tmp_path)
    text = plain_failure(caught.value)
    assert foreign(text) is None, text
    assert said in text
    assert "\n" not in text
    assert len(text) < 300
