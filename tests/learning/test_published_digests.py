"""What states are encoded as does not change from one release, Python or machine to the next, unless `FORMAT` does.

    .venv/bin/python tests/learning/test_published_digests.py

prints the table. It was compared with Python 3.11, 3.12 and 3.13.
"""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from river.datasets import synth

from headrace.learning.fold.learner import Learner
from headrace.learning.models import names_for
from headrace.learning.snapshot import digest, encode
from headrace.learning.snapshot.header import FORMAT
from headrace.learning.task import Task

ROWS = 200
STREAMS = {
    "binary": synth.Agrawal(seed=3),
    "multiclass": synth.RandomRBF(3, 3, n_classes=3, n_features=5),
    "regression": synth.Friedman(seed=3),
}
PUBLISHED = {
    "binary logistic": "3280bbf4bea4772ab3912a9a2312e8c7544546c527b15872c851c2c31f6fcd84",
    "binary alma": "3d8b7ba94a6e0b038f0e1f9c8ffc43b483a28e5a7213231539e97f18f9d6959a",
    "binary pa": "06c55c4a5ec94788a5ed75bfc1d67fdac90bc9fe418681bf255d8f76d0c5414a",
    "binary naive_bayes": "573dd746efe7ea90658c9ae12b7ac010771d950703e76ec498ef9fe6adf43d6d",
    "binary hoeffding_tree": "af4be98b6cfc83fa55ba38ec66f786c178cc7b21fff15f00f3a027adc96d80d0",
    "binary hat": "113bc34dcd1d71584ecb199009b19a5db8c0a461cc15487e56ce21762e76258a",
    "binary mondrian_forest": "1618d328877c983fe40a9f17fa70542c920f5d283bdac53e9a339ebe7c21959d",
    "binary arf": "45d97bd28d9f41ccabbd6c65888b4caad7dfb1c28ff9bab49138870e850cb59f",
    "binary no_change": "a85373caed57886ec3992157b015ed30d93095521fbebab5f40c37c8be6a9b67",
    "binary online_linear": "a2c6edfc11b44dfda25b278ba0c2a79bfe7347fac13dadc1184bc74d4b8f4b0a",
    "multiclass softmax": "fdb79a714d9356065982ee12522d7a55d571ea2ddf9da080dbb24dbc5b132387",
    "multiclass naive_bayes": "731d11bbf093b9cdf65edf653e8b0bd53e52818c73983cfa88db1cded6bdf17a",
    "multiclass hoeffding_tree": "abafea0f4d0118c6c1d0bebaa5892482510a824931e667fa921003d491003376",
    "multiclass hat": "2a077dacaf90235b480591c14f9403396161942d3454069786b1e5bcaded1d9e",
    "multiclass mondrian_forest": "2079821ee288c1de73032daa349665697eba0a3f0d6de8db1e56de8cb6fdbca5",
    "multiclass arf": "0034d6863a8b974afb20954bade14086f80ae533cdcdfb5facb46105a4c0ecba",
    "multiclass no_change": "e07e7226bb81b9f24cdfd06834ffe1bdb57a962f813c8300c8eac706fb96d5c0",
    "regression linear": "691f7e94ba970c82b88d41394f57edb3b8699c5d499e45f224a88e25f509b847",
    "regression hoeffding_regressor": "59c41f27d3271ecec483ceb74b6e4db0f21902e493c7ed8488ba3b7c6ecbd089",
    "regression mondrian_regressor": "52381e1d3d6fcb156ac9c7850f89b9428c14cde0c6775a034853e844a6e7e22c",
    "regression mean": "58841c8df47807f88a00500e149f22a4e27f1c2e03b3c3528ac20d40e3a4efe8",
    "regression online_linear": "8e5f57b862956b2d084411936cc794ca12819076fb8f9e067bf0ea0e0a97cf51",
}

SINCE_312 = {
    "binary alma": "30674637774c62d0c705320e7e881cdf4ebf2b3ccd2abbf2a80805ec3076566e",
    "binary pa": "ef57559ae1e29dcd0e86bab8d910e62659ea95d82db881d21c58636cbb408b61",
    "binary naive_bayes": "9624cb5d67eb9c5397a2e77ac303af437dd56e9af68e4a51dfbf2c860b27530e",
    "multiclass softmax": "2b0a15588f5fdef3295e8b1e643cd6cf6f397bcaa15a51f65f334208f468e7ca",
    "multiclass naive_bayes": "7687dc48e6d3d5d4619b80555bcf68e23e8b7ed4dc91f2c27dcfaec047418cf9",
    "multiclass hoeffding_tree": "cede8260002ce9916bd77ddd9bd74df351f318b82f33e16c106cf1ce96bfdea0",
    "multiclass hat": "37aad51ad5db81335368c80282e75507d3ed35d8e11e758a43fa90cb4d6fc786",
    "multiclass arf": "9fa9b10c5f0092d2b6472758c96c5d9c77ae15a71a5bb74c8d9530f1dd109e92",
}
"""From Python 3.12 on `sum` rounds floats but once, and River adds up with it: other last bits, not another encoding."""

if sys.version_info >= (3, 12):
    PUBLISHED |= SINCE_312


def state_of(kind, name):
    """The state after some samples, and questions one of which waits."""
    learner = Learner(Task(name="t", kind=kind, model=name), 0)
    for offset, (x, y) in enumerate(STREAMS[kind].take(ROWS)):
        features = {str(feature): value for feature, value in x.items()}
        label = bool(y) if kind == "binary" else y
        record = {"features": features, "label": label} if offset % 9 else {"id": f"q{offset}", "features": features}
        value = json.dumps(record).encode()
        for _ in learner.fold(SimpleNamespace(offset=offset, timestamp=offset, key=None, value=value)):
            pass
    return learner.state


EVERY = [(kind, name) for kind in STREAMS for name in names_for(kind)]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_published_run_has_the_published_digest(kind, name):
    assert digest(state_of(kind, name)) == PUBLISHED[f"{kind} {name}"]


def test_the_digests_are_those_of_this_format():
    assert FORMAT == 5, "print the table anew"


def test_an_encoding_names_no_module_of_ours():
    """So files can move."""
    data = encode(state_of("binary", "logistic"))
    assert b"arm/1" in data
    assert b"learning." not in data


def test_another_process_with_another_hash_seed_has_the_same():
    code = "from headrace.learning.snapshot import digest; from test_published_digests import state_of; print(digest(state_of('binary', 'hoeffding_tree')))"
    path = {"PYTHONHASHSEED": "5", "PYTHONPATH": ":".join([*sys.path, __file__.rpartition("/")[0]])}
    done = subprocess.run([sys.executable, "-c", code], env=path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == PUBLISHED["binary hoeffding_tree"]


if __name__ == "__main__":
    for each in EVERY:
        print(f'    "{" ".join(each)}": "{digest(state_of(*each))}",')
