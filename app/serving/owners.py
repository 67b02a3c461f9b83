"""Forwards questions and look-ups to the owner of a shard over HTTP, with limits of time and hops, and a proof in place of the caller's key."""

from collections.abc import Callable, Mapping
from ssl import SSLContext
from typing import Annotated, NamedTuple, TypeVar, cast

import aiohttp
import msgspec
import structlog
from yarl import URL

from headrace.app.caller import HOPS_MAX, Caller
from headrace.app.peers import Peers
from headrace.app.problems import ProblemCode
from headrace.app.proof import PROOF, SIGNATURE, Proofs
from headrace.app.request_id import HEADER, current
from headrace.app.serving.question import Asked, Question
from headrace.app.serving.refused import Kind, RequestRefused
from headrace.app.unreached import say_unreached
from headrace.learning.task import Task
from headrace.tables.kafka.members import Members

log = structlog.get_logger()

Read = TypeVar("Read")

FORWARD_SECONDS = 2.0
"""How long the owner may take to answer, in addition to the `wait_s` of the question."""

ANSWER_BYTES = 32 << 20
"""The largest answer that is read, in bytes: a thousand answers with the probabilities of a thousand classes each."""

DETAIL_MAX = 2_000
"""The number of characters of an owner's detail and remedy that are passed on."""

PASSED_ON: Mapping[int, Kind] = {
    409: "conflict",
    413: "too_large",
    422: "invalid",
    429: "throttled",
    503: "unavailable",
}
"""The statuses of an owner's refusals that are passed on to the caller. No other concerns the caller, since the question was checked here."""


class Owners:
    """Forwards questions to the workers that own their shards.

    A member of the group is trusted as little as possible. Its address must be one that `peers` admit. It gets no API key. If the workers
    share a secret, its answer must be signed. Redirects are not followed, and cookies not kept.

    Parameters
    ----------
    members
        Know which worker owns which shard.
    address
        The address of this worker.
    tls
        Checks the certificates of the other workers, if they use TLS.
    peers
        The addresses that may be asked; if left out, all addresses with this worker's scheme.
    proofs
        Sign the questions and check the answers; None if the workers share no secret.
    has_keys
        Whether callers need an API key. If so, nothing is forwarded without a proof.
    """

    def __init__(
        self,
        members: Members,
        address: str,
        tls: SSLContext | None = None,
        *,
        peers: Peers | None = None,
        proofs: Proofs | None = None,
        has_keys: bool = False,
    ):
        self.members, self.address, self.tls = members, address, tls
        self.peers, self.proofs, self.has_keys = peers or Peers(address), proofs, has_keys
        self._http: aiohttp.ClientSession | None = None

    async def ask(
        self, task: Task, partition: int, questions: list[Question], asked: Asked, seconds: float
    ) -> list[msgspec.Raw]:
        """Ask the owner of a shard, and return its answers to the questions.

        Parameters
        ----------
        seconds
            The longest `wait_s` of the questions.

        Raises
        ------
        RequestRefused
            The refusal of the owner itself; or `unavailable` if there is no owner, the owner may not be asked, it does not answer in time
            or not as an owner does, or the questions have passed too many workers.
        """
        path = f"/v1/{task.name}/predict/batch" + "?fresh=true" * asked.fresh

        def read(status: int, body: bytes) -> list[msgspec.Raw] | None:
            if status != 200:
                return None
            answers = msgspec.json.decode(body, type=list[msgspec.Raw])
            if len(answers) != len(questions):
                raise UnusableAnswerError(f"{len(answers)} answers to {len(questions)} questions")
            return answers

        forwarded = Forwarded("POST", path, asked.caller, msgspec.json.encode(questions), seconds)
        return await self._exchange(task, partition, forwarded, read)

    async def look_up(self, task: Task, partition: int, path: str, caller: Caller) -> msgspec.Raw | None:
        """Get what the owner of a shard answers at a path; None if it answers 404. Raises as `ask` does."""

        def read(status: int, body: bytes) -> tuple[msgspec.Raw | None] | None:
            if status == 404:
                return (None,)
            return (msgspec.json.decode(body, type=msgspec.Raw),) if status == 200 else None

        (found,) = await self._exchange(task, partition, Forwarded("GET", path, caller), read)
        return found

    async def _exchange(
        self, task: Task, partition: int, forwarded: "Forwarded", read: Callable[[int, bytes], Read | None]
    ) -> Read:
        """Send a request to the owner of a shard, and return what `read` makes of status and body; RequestRefused if it makes None of them."""
        which = f"shard {partition} of task '{task.name}'"
        owner = await self._find(task, partition, which, forwarded.caller)
        try:
            status, content = await self._send(owner, forwarded)
            if status == 200 and not is_utf8(content):
                raise UnusableAnswerError("it is not UTF-8")
            answer = read(status, content)
            if answer is not None:
                return answer
            if status not in PASSED_ON and status not in (401, 403):
                raise UnusableAnswerError(f"status {status}")
            refusal = msgspec.json.decode(content, type=OwnersRefusal)
        except UnusableAnswerError as error:
            log.warning("the answer of another worker cannot be used", owner=owner, error=str(error))
            what = f"the owner of {which}, {owner}, does not answer as an owner does: {error}."
            raise RequestRefused(
                "unavailable", "owner_unreachable", what, "See the logs of both workers.", retry=True
            ) from None
        except (aiohttp.ClientError, OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
            what = f"the owner of {which}, {owner}, does not answer: {say_unreached(error)}."
            remedy = "Ask again in a second, or without fresh=true for an answer that may be a little old."
            raise RequestRefused("unavailable", "owner_unreachable", what, remedy, retry=True) from None
        what, remedy = refusal.detail[:DETAIL_MAX], refusal.remedy[:DETAIL_MAX]
        if status in (401, 403):
            what = f"the owner of {which}, {owner}, does not admit the question: {what}"
            remedy = "Give all workers the same keys and the same group secret, and clocks that agree."
            raise RequestRefused("unavailable", "owner_unreachable", what, remedy, retry=True)
        code = cast("ProblemCode", refusal.code)  # made by another worker, which may know codes that this one does not
        kind = PASSED_ON[status]
        raise RequestRefused(kind, code, what, remedy, retry=kind in ("throttled", "unavailable"))

    async def stop(self) -> None:
        """Close the connections to the broker and to other workers."""
        await self.members.stop()
        if self._http is not None:
            await self._http.close()

    async def _find(self, task: Task, partition: int, which: str, caller: Caller) -> str:
        """Return the address of the owner; RequestRefused if no owner may be asked."""
        if caller.hops >= HOPS_MAX:
            what = f"{which} is moving: asked {caller.hops} workers, and none of them owns it."
            raise RequestRefused("unavailable", "no_owner", what, "Ask again in a second.", retry=True)
        if self.has_keys and self.proofs is None:
            what = f"this worker does not own {which}, and has no group secret by which to prove to the owner who asks."
            remedy = "Set HEADRACE_GROUP_SECRET or worker.group_secret_file on all workers, or ask the owner itself."
            raise RequestRefused("unavailable", "no_group_secret", what, remedy)
        owner = await self.members.owner(task.events, partition)
        if owner is None or owner == self.address:
            raise RequestRefused(
                "unavailable", "no_owner", f"{which} is being taken over.", "Ask again in a second.", retry=True
            )
        if not self.peers.admit(owner):
            log.warning("a member of the group has an address that is not asked", task=task.name, error=owner[:300])
            what = f"the owner of {which} has an address that this worker does not ask."
            remedy = f"worker.address must be {self.peers.scheme}://host:port, and within worker.peers. The log has it."
            raise RequestRefused("unavailable", "owner_address", what, remedy)
        return owner

    async def _send(self, owner: str, forwarded: "Forwarded") -> tuple[int, bytes]:
        """Send a request, and return status and body of the owner's answer. UnusableAnswerError if it is too large or lacks a needed signature."""
        method, path, caller, body, seconds = forwarded
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if (request_id := current()) is not None:
            headers[HEADER] = request_id
        proof = ""
        if self.proofs is None:
            headers |= caller.next_hop.headers
        else:
            headers[PROOF] = proof = self.proofs.prove(caller.next_hop, owner, method, path, body)
        async with self._session().request(
            method,
            URL(owner + path, encoded=True),  # the proof is for the path as it is written
            data=body or None,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=seconds + FORWARD_SECONDS),
            allow_redirects=False,
        ) as answer:
            status, content = answer.status, await read_up_to(answer.content, ANSWER_BYTES)
            signature = answer.headers.get(SIGNATURE, "")
        if self.proofs is not None and not self.proofs.is_signed(signature, proof, status, content):
            raise UnusableAnswerError("it is not signed with the group secret of this worker")
        return status, content

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self.tls or True),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # a small answer must not become a large one
            )
        return self._http


class Forwarded(NamedTuple):
    """A request that is forwarded to an owner, and how many seconds the owner may wait before it answers."""

    method: str
    path: str
    caller: Caller
    body: bytes = b""
    seconds: float = 0.0


class OwnersRefusal(msgspec.Struct):
    """Holds the fields of another worker's problem document that are passed on."""

    code: Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,64}\Z")]
    detail: str
    remedy: str = ""


class UnusableAnswerError(Exception):
    """Another worker's answer cannot be used; the text says why."""


def is_utf8(body: bytes) -> bool:
    """Say whether bytes are UTF-8. msgspec does not check the strings of a `msgspec.Raw`, which are passed on unchanged.

    Examples
    --------
    >>> is_utf8("é".encode()), is_utf8("é".encode("latin-1"))
    (True, False)
    """
    if body.isascii():  # most bodies are, and the check takes no memory
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


async def read_up_to(content: aiohttp.StreamReader, limit: int) -> bytes:
    """Read a whole body; UnusableAnswerError as soon as it has more than `limit` bytes."""
    body = bytearray()
    async for piece in content.iter_any():
        body += piece
        if len(body) > limit:
            raise UnusableAnswerError(f"it has more than {limit} bytes")
    return bytes(body)
