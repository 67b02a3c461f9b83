"""A pass of the doors: for a request that they would admit at once. It counts nothing until it is used."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from headrace.app.contract import Contract
from headrace.app.doors import Doors
from headrace.app.keys import ApiKeys, digest_of, parse_keys
from headrace.app.proof import PROOF, Proofs

KEYS = ApiKeys(
    parse_keys(
        "\n".join(
            f"{name} {role} {digest_of(name).hex()} {rate}"
            for name, role, rate in (("asker", "predict", ""), ("sender", "feedback", ""), ("slow", "predict", "2"))
        ),
        "keys",
    )
)
NO_KEYS = ApiKeys([])
CONTRACT = Contract(role="predict", gives=str)


def find(doors, *headers):
    return doors.find_pass(CIMultiDictProxy(CIMultiDict(headers)), CONTRACT)


def test_a_key_with_the_role_gets_a_pass_that_names_its_caller():
    caller = find(Doors(KEYS, None, 1.0, ()), ("authorization", "bearer asker")).caller
    assert (caller.key, caller.roles) == ("asker", ("predict",))


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-API-Key", "guess")],
        [("X-API-Key", "sender")],
        [("X-API-Key", "asker"), ("X-API-Key", "asker")],
        [("X-API-Key", "asker"), (PROOF, "any")],
    ],
    ids=["no key", "a guess", "another role", "two keys", "a proof too"],
)
def test_what_is_refused_or_has_a_proof_gets_no_pass(headers):
    assert find(Doors(KEYS, None, 1.0, ()), *headers) is None


def test_a_token_is_taken_when_a_pass_is_used_and_not_before():
    doors = Doors(KEYS, None, 1.0, ())
    slow = ("X-API-Key", "slow")
    passes = [find(doors, slow) for _ in range(5)]
    assert None not in passes
    for one in passes[:2]:
        one.use()
    assert find(doors, slow) is None


def test_without_keys_all_share_one_rate_and_the_headers_name_the_hops():
    doors = Doors(NO_KEYS, 1.0, 1.0, ())
    found = find(doors, ("Headrace-Hops", "1"))
    assert found.caller.hops == 1
    found.use()
    assert find(doors) is None


def test_with_a_group_secret_the_headers_name_no_hops():
    doors = Doors(NO_KEYS, None, 1.0, (), Proofs(b"s" * 32, "http://127.0.0.1:1"))
    assert find(doors, ("Headrace-Hops", "1")).caller.hops == 0
