"""A member of the group that is no worker, on loopback: it gets no key, cannot choose what a worker asks, and its answers are not believed."""

import asyncio
import gzip
import hashlib
import json
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import web
from fake_owner import Fake, header, response

import headrace.app.serving.owners
from headrace.app.caller import AGAIN_HEADER, HOPS, HOPS_MAX, OVER_KAFKA, Caller
from headrace.app.contract import Contract, Operation
from headrace.app.doors import Doors
from headrace.app.errors import Problem, answer_problems
from headrace.app.keys import ApiKeys, parse_keys
from headrace.app.peers import Peers
from headrace.app.proof import PROOF, SIGNATURE, VALID_SECONDS, Proofs
from headrace.app.serving.owners import Owners
from headrace.app.serving.question import Asked
from headrace.app.serving.refused import RequestRefused
from headrace.app.views.predict import asked_by
from headrace.learning.task import Task

SECRET = b"a secret that all workers share!"
TASK = Task(name="t", kind="binary")
PATH = "/v1/t/predict/batch"
ASKER = "http://127.0.0.1:1"
API_KEY = "grain-of-the-phone"
KEYS = ApiKeys(
    parse_keys(
        f"phone predict {hashlib.sha256(API_KEY.encode()).hexdigest()}\n"
        f"desk feedback {hashlib.sha256(b'grain-of-the-desk').hexdigest()}\n"
        f"slow predict {hashlib.sha256(b'grain-of-the-slow').hexdigest()} 1",
        "keys",
    )
)
PHONE = Caller("phone", ("predict",))
OPERATIONS = [
    Operation("/v1/{task}/predict/batch", "post", Contract(role="predict", gives=list, takes=list), "", "Batch"),
    Operation("/v1/{task}/samples", "post", Contract(role="feedback", gives=list, takes=list), "", "Samples"),
]
ANSWER = {"id": "q", "prediction": True}


def problem(status, **parts):
    document = {"code": "rate", "detail": "too many.", "remedy": "Wait."} | parts
    return response(status, json.dumps(document).encode())


def owners_of(address, **options):
    """Return the `Owners` of a worker for a shard whose owner has this address."""

    async def owner(topic, partition):
        return address

    async def stop():
        pass

    return Owners(SimpleNamespace(owner=owner, stop=stop), ASKER, **options)


async def ask(address, asked=Asked(caller=PHONE), questions=({"features": {}},), **options):  # noqa: B008
    """Ask an owner at this address, and return its answers or its Problem."""
    owners = owners_of(address, **options)
    try:
        return [bytes(answer) for answer in await owners.ask(TASK, 0, list(questions), asked, 0.5)]
    except RequestRefused as refused:
        return Problem.of(refused)
    finally:
        await owners.stop()


def ask_fake(*answers, **options):
    """Ask a fake owner, and return the outcome and the requests that it got."""

    async def check():
        async with Fake(*answers) as fake:
            return await ask(fake.address, **options), fake.requests

    return asyncio.run(check())


class Worker:
    """The doors of a worker, with a view that answers every question alike or passes the questions on."""

    def __init__(self, proofs=SECRET, keys=KEYS, owner=None, now=None, rate=None):
        self.secret, self.keys, self.owner, self.now, self.rate = proofs, keys, owner, now, rate
        self.seen = []

    async def __aenter__(self):
        self.app = web.Application(middlewares=[answer_problems, self._admit])
        for path in (PATH, "/v1/t/samples"):
            self.app.router.add_post(path.replace("/t/", "/{task}/"), self._answer)
        self.runner = web.AppRunner(self.app)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        clock = {} if self.now is None else {"now": self.now}
        self.proofs = None if self.secret is None else Proofs(self.secret, self.address, **clock)
        self.doors = Doors(self.keys, self.rate, 5.0, OPERATIONS, self.proofs)
        return self

    async def __aexit__(self, *_):
        await self.runner.cleanup()

    @web.middleware
    async def _admit(self, request, handler):
        return await self.doors.admit(request, handler)

    async def _answer(self, request):
        asked = asked_by(request)
        self.seen.append(asked)
        questions = json.loads(await request.read())
        if self.owner is None:
            return web.Response(body=json.dumps([ANSWER] * len(questions)).encode())
        options = {"proofs": self.proofs, "has_keys": len(self.keys) > 0}
        answered = await ask(self.owner, asked, questions, **options)
        if isinstance(answered, Problem):
            raise answered
        return web.Response(body=b"[" + b",".join(answered) + b"]")


async def post(address, path=PATH, body=b'[{"features": {}}]', headers=None):
    async with (
        aiohttp.ClientSession() as session,
        session.post(address + path, data=body, headers=headers or {}) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


# A fake member never sees a key


@pytest.mark.parametrize("shown", [{"Authorization": f"Bearer {API_KEY}"}, {"X-API-Key": API_KEY}])
@pytest.mark.parametrize("secret", [SECRET, None])
def test_no_key_of_a_caller_leaves_the_worker(shown, secret):
    async def check():
        async with Fake(response(body=b'[{"id": "q"}]')) as fake, Worker(secret, owner=fake.address) as worker:
            status, answer = await post(worker.address, headers=shown)
            return status, answer["code"], fake.requests

    status, code, requests = asyncio.run(check())
    if secret is None:
        assert (status, code, requests) == (503, "no_group_secret", [])
        return
    assert (status, code) == (503, "owner_unreachable"), "the fake knows no secret by which to sign"
    (request,) = requests
    for trace in (API_KEY, hashlib.sha256(API_KEY.encode()).hexdigest(), SECRET.decode(), "Authorization", "X-API-Key"):
        assert trace.lower().encode() not in request.lower()
    assert header(request, PROOF)


def test_a_worker_without_keys_passes_on_what_nobody_has_to_prove_and_no_key_either():
    async def check():
        async with (
            Fake(response(body=b'[{"id": "q"}]')) as fake,
            Worker(None, ApiKeys(), owner=fake.address) as worker,
        ):
            answer = await post(worker.address, headers={"Authorization": f"Bearer {API_KEY}", "Cookie": "a=b"})
            return answer, fake.requests[0]

    answer, request = asyncio.run(check())
    assert answer == (200, [{"id": "q"}])
    assert API_KEY.encode() not in request
    assert b"Cookie" not in request
    assert (header(request, HOPS), header(request, PROOF)) == ("1", None)


def test_a_question_over_kafka_is_passed_on_with_a_role_and_no_key():
    async def check():
        async with Worker() as owner:
            asked = Asked(caller=OVER_KAFKA)
            answers = await ask(owner.address, asked, proofs=Proofs(SECRET, ASKER), has_keys=True)
            return answers, owner.seen

    answers, seen = asyncio.run(check())
    assert [json.loads(answer) for answer in answers] == [ANSWER]
    assert seen == [Asked(caller=Caller(None, ("predict",), 1, again=True))]


# It cannot make a worker ask another path or scheme


@pytest.mark.parametrize(
    "form", ["{}/admin", "{}/", "{}?x=", "{}#", "{}@evil.example:80", "{}\r\nX: y", " {}", "{}0000"]
)
def test_a_member_cannot_choose_what_is_asked(form):
    async def check():
        async with Fake(response()) as fake:
            return await ask(form.format(fake.address)), fake.requests

    refused, requests = asyncio.run(check())
    assert (refused.status, refused.code, requests) == (503, "owner_address", [])


@pytest.mark.parametrize("scheme", ["https", "HTTP", "file", "ftp", "http+unix"])
def test_a_member_cannot_choose_another_scheme(scheme):
    async def check():
        async with Fake(response()) as fake:
            return await ask(fake.address.replace("http", scheme)), fake.requests

    refused, requests = asyncio.run(check())
    assert (refused.code, requests) == ("owner_address", [])
    assert "http://host:port" in refused.remedy


def test_a_member_that_is_no_peer_is_not_asked():
    refused, requests = ask_fake(response(), peers=Peers(ASKER, ["10.0.0.0/8"]))
    assert (refused.code, requests) == ("owner_address", [])
    answers, requests = ask_fake(response(body=b"[1]"), peers=Peers(ASKER, ["127.0.0.0/8"]))
    assert (answers, len(requests)) == ([b"1"], 1)


@pytest.mark.parametrize("host", ["a..b", "a" * 70, f"a.{'b' * 70}"])
def test_a_name_that_cannot_be_looked_up_is_refused_as_an_address_and_fails_as_an_owner(host):
    async def check(**options):
        return await ask(f"http://{host}:80", **options)

    assert asyncio.run(check()).code == "owner_address"
    everyone = SimpleNamespace(admit=lambda _: True)
    refused = asyncio.run(check(peers=everyone))
    assert (refused.status, refused.code) == (503, "owner_unreachable")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status):
    refused, requests = ask_fake(response(status, Location="/v1/t/samples"), response(body=b"[1]"))
    assert (refused.status, refused.code, f"status {status}" in refused.detail) == (503, "owner_unreachable", True)
    assert [request.split(b"\r\n")[0] for request in requests] == [f"POST {PATH} HTTP/1.1".encode()]


# It cannot forge an answer


def forged(request):
    return response(
        body=b"[1]", **{SIGNATURE: Proofs(b"another secret", ASKER).sign(header(request, PROOF), 200, b"[1]")}
    )


@pytest.mark.parametrize(
    "answer",
    [
        response(body=b"[1]"),
        response(body=b"[1]", **{SIGNATURE: "0" * 64}),
        forged,
        problem(409),
        problem(429),
        problem(401),
    ],
    ids=["unsigned", "zeros", "another secret", "409", "429", "401"],
)
def test_an_answer_that_no_worker_has_signed_is_not_believed(answer):
    refused, _ = ask_fake(answer, proofs=Proofs(SECRET, ASKER))
    assert (refused.status, refused.code) == (503, "owner_unreachable")
    assert "not signed" in refused.detail
    assert "too many" not in refused.detail


class Credulous(Proofs):
    """A mutant: believes every answer."""

    def is_signed(self, *_):
        return True


def test_it_is_the_signature_that_tells_a_forged_answer():
    assert ask_fake(response(body=b"[1]"), proofs=Credulous(SECRET, ASKER))[0] == [b"1"]


def test_a_member_cannot_pass_a_question_on_to_a_worker_and_its_answer_back():
    """Nor can it keep a worker's answer for another question."""

    async def check():
        async with Worker() as owner:
            proofs, got = Proofs(SECRET, ASKER), []

            async def relay(request):
                status, answer = await post(
                    owner.address, body=await request.read(), headers={PROOF: request.headers[PROOF]}
                )
                got.append((status, answer["code"], answer["detail"]))
                return web.Response(status=status, body=json.dumps(answer).encode())

            application = web.Application()
            application.router.add_post(PATH, relay)
            runner = web.AppRunner(application)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            refused = await ask(f"http://127.0.0.1:{runner.addresses[0][1]}", proofs=proofs)
            await runner.cleanup()
            return refused, got, owner.seen

    refused, got, seen = asyncio.run(check())
    assert got == [(401, "proof", "the proof is for another worker.")]
    assert ("not signed" in refused.detail, seen) == (True, [])


# What is read and passed on of an answer


def test_an_answer_is_read_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(headrace.app.serving.owners, "ANSWER_BYTES", 1_000)
    assert ask_fake(response(body=b"[" + b" " * 998 + b"]"), questions=[])[0] == []
    for large in (
        response(body=b"[" + b" " * 999 + b"]"),
        b"HTTP/1.1 200 X\r\nContent-Length: 99999999999\r\n\r\n" + b" " * 2_000,
    ):
        refused, _ = ask_fake(large, questions=[])
        assert (refused.code, "more than 1000 bytes" in refused.detail) == ("owner_unreachable", True)


def test_an_answer_is_not_unpacked():
    packed = gzip.compress(b"[" + b" " * 10_000_000 + b"1]")
    refused, (request,) = ask_fake(response(body=packed, **{"Content-Encoding": "gzip"}))
    assert (refused.status, refused.code) == (503, "owner_unreachable")
    assert header(request, "Accept-Encoding") == "identity"


@pytest.mark.parametrize("status", [200, 204, 206, 400, 404, 405, 408, 415, 418, 500, 502, 504, 599])
def test_a_status_that_is_not_the_callers_business_is_not_passed_on(status):
    refused, _ = ask_fake(problem(status))
    assert (refused.status, refused.code) == (503, "owner_unreachable")
    assert "too many" not in refused.detail


@pytest.mark.parametrize("status", [409, 413, 422, 429, 503])
def test_a_status_that_is_the_callers_business_is_passed_on(status):
    refused, _ = ask_fake(problem(status, detail="d" * 10_000))
    assert (refused.status, refused.code, refused.remedy) == (status, "rate", "Wait.")
    assert len(refused.detail) == 2_000
    assert ("Retry-After" in refused.headers) == (status in (429, 503))


@pytest.mark.parametrize(
    "parts", [{"code": "<b>"}, {"code": "rate\n"}, {"code": "x" * 100}, {"code": 1}, {"detail": None}]
)
def test_a_refusal_of_another_form_is_not_passed_on(parts):
    refused, _ = ask_fake(problem(409, **parts))
    assert (refused.status, refused.code) == (503, "owner_unreachable")


@pytest.mark.parametrize("body", [b"", b"{}", b"[1, 2]", b"[NaN]", b"\xff\xfe", b"[" * 100_000])
def test_what_are_not_as_many_answers_as_questions_is_no_answer(body):
    assert ask_fake(response(body=body))[0].code == "owner_unreachable"


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", "é".encode("latin-1")])
def test_an_answer_that_is_not_utf8_is_not_passed_on(text):
    refused, _ = ask_fake(response(body=b'["%s"]' % text))
    assert (refused.status, refused.code, "not UTF-8" in refused.detail) == (503, "owner_unreachable", True)


def test_an_answer_of_any_letters_is_passed_on_as_it_is():
    body = '[{"id": "é€𝄞"}]'.encode()
    assert ask_fake(response(body=body))[0] == [body[1:-1]]


# The owner's doors


def ask_worker(caller=PHONE, secret=SECRET, **options):
    """Ask a worker, and return the outcome and the calls of its view."""

    async def check():
        async with Worker(**options) as owner:
            proofs = Proofs(secret, ASKER)
            return await ask(owner.address, Asked(caller=caller), proofs=proofs, has_keys=True), owner.seen

    return asyncio.run(check())


def test_the_owner_answers_the_caller_whose_name_and_roles_are_proven():
    answers, seen = ask_worker(Caller("phone", ("predict",), hops=1))
    assert [json.loads(answer) for answer in answers] == [ANSWER]
    assert seen == [Asked(caller=Caller("phone", ("predict",), hops=2))]
    assert ask_worker(Caller("ops", ("admin",)))[1], "a key that only the other worker knows yet"


@pytest.mark.parametrize("caller", [Caller("desk", ("feedback",)), Caller("desk"), Caller()])
def test_the_owner_asks_for_the_same_role_as_of_the_caller(caller):
    refused, seen = ask_worker(caller)
    assert (refused.status, refused.code, seen) == (503, "owner_unreachable", [])
    assert "takes the role 'predict'" in refused.detail, "a signed refusal is told"


def test_the_owner_counts_what_a_key_asks_by_way_of_others():
    async def check():
        async with Worker(rate=1_000) as owner:
            proofs = Proofs(SECRET, ASKER)
            asked = Asked(caller=Caller("slow", ("predict",)))
            over_kafka = Asked(caller=OVER_KAFKA)
            return [await ask(owner.address, one, proofs=proofs) for one in [asked, asked, asked, *[over_kafka] * 5]]

    first, *more = asyncio.run(check())
    assert isinstance(first, list)
    assert [one.code for one in more[:2]] == ["rate"] * 2
    assert all(isinstance(one, list) for one in more[2:])


def test_workers_with_other_secrets_do_not_believe_each_other():
    refused, seen = ask_worker(secret=b"another secret of all the others")
    assert (refused.code, "not signed" in refused.detail, seen) == ("owner_unreachable", True, [])
    refused, seen = ask_worker(proofs=None)
    assert (refused.code, seen) == ("owner_unreachable", [])


def test_clocks_that_do_not_agree_are_told_by_the_owner():
    refused, seen = ask_worker(now=lambda: __import__("time").time() + VALID_SECONDS + 5)
    assert (refused.code, seen) == ("owner_unreachable", [])
    assert "old by the clock here" in refused.detail
    assert "clocks" in refused.remedy


def refused_by_doors(make, path=PATH, body=b"[]", **options):
    """Send a request with headers that `make` makes for a worker. Return its status and code, and the calls of the view, which must not be asked."""

    async def check():
        async with Worker(**options) as owner:
            status, answer = await post(owner.address, path, body, make(owner.address))
            return status, answer["code"], owner.seen

    return asyncio.run(check())


def proof_for(address, caller=PHONE, path=PATH, body=b"[]"):
    return Proofs(SECRET, ASKER).prove(caller, address, "POST", path, body)


@pytest.mark.parametrize(
    "make",
    [
        lambda address: {PROOF: ""},
        lambda address: {PROOF: "guess"},
        lambda address: {PROOF: proof_for(address, body=b"[1]")},
        lambda address: {PROOF: proof_for(address, path=f"{PATH}?fresh=true")},
        lambda address: {PROOF: proof_for(ASKER)},
        lambda address: {PROOF: proof_for(address), "X-API-Key": API_KEY},
        lambda address: {PROOF: proof_for(address), "Authorization": f"Bearer {API_KEY}"},
        lambda address: [(PROOF, proof_for(address)), (PROOF, proof_for(address))],
        lambda address: {PROOF: Proofs(b"", ASKER).prove(PHONE, address, "POST", PATH, b"[]")},
        lambda address: {PROOF: "guess", "X-API-Key": API_KEY},
    ],
)
def test_what_imitates_a_proof_opens_nothing(make):
    assert refused_by_doors(make) == (401, "proof", [])
    assert refused_by_doors(make, proofs=None) == (401, "proof", [])
    assert refused_by_doors(make, keys=ApiKeys()) == (401, "proof", [])


def test_a_proof_opens_only_what_its_caller_may():
    def make(address):
        return {PROOF: proof_for(address, path="/v1/t/samples")}

    assert refused_by_doors(make, "/v1/t/samples") == (403, "role", [])


@pytest.mark.parametrize(
    "headers", [{HOPS: "0"}, {AGAIN_HEADER: "true"}, {SIGNATURE: "x"}, {"Headrace-Roles": "admin"}]
)
def test_headers_of_workers_open_nothing_without_a_proof(headers):
    for options in ({}, {"proofs": None}):
        assert refused_by_doors(lambda _: headers, **options) == (401, "no_key", [])


@pytest.mark.parametrize(("secret", "keys"), [(SECRET, KEYS), (None, KEYS), (SECRET, ApiKeys())])
def test_the_way_of_a_question_is_not_believed_of_a_caller(secret, keys):
    async def check():
        async with Worker(secret, keys) as owner:
            headers = {HOPS: str(HOPS_MAX), AGAIN_HEADER: "true", "X-API-Key": API_KEY}
            return (await post(owner.address, headers=headers))[0], owner.seen

    status, (asked,) = asyncio.run(check())
    assert (status, asked.caller.hops, asked.caller.again) == (200, 0, False)


def test_a_proof_is_used_once():
    async def check():
        async with Worker() as owner:
            headers = {PROOF: proof_for(owner.address)}
            return [(await post(owner.address, body=b"[]", headers=headers))[0] for _ in range(3)], owner.seen

    statuses, seen = asyncio.run(check())
    assert (statuses, len(seen)) == ([200, 401, 401], 1)


def test_no_secret_is_in_a_log_or_in_an_answer(capsys):
    async def check():
        async with Worker() as owner, Fake(response()) as fake:
            proof = proof_for(owner.address, body=b"[1]")
            answers = [
                await post(owner.address, body=b"[]", headers={PROOF: proof, **more})
                for more in ({}, {"X-API-Key": API_KEY})
            ]
            return proof, answers, await ask(fake.address, proofs=Proofs(SECRET, ASKER)), await ask("http://x/y")

    proof, *answers = asyncio.run(check())
    out, err = capsys.readouterr()
    assert "passed on is refused" in out + err
    for secret in (SECRET.decode(), API_KEY, proof, proof.partition(".")[2]):
        assert secret not in f"{out}{err}{answers}"
