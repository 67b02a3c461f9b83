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
    "binary logistic": "2ccf77cdffd02625aafa4068e851022450152fdfbf59d9e20ac9ea9384824998",
    "binary alma": "ece5cb9257c52f0597b3888ff3d8c84a064430a5a3c338e01e23b678904ceb19",
    "binary pa": "bd6943138d649368a507c71428f0212b052acb45e6cf44bfda313262b11b6efd",
    "binary naive_bayes": "06883f4ca28c2d60d988073638beabb947134ab16327d1aa863dc13cd7abc522",
    "binary hoeffding_tree": "035f1b80d372301d9c4ef2399f5c48b26cdb5a357c4a806851955284a29063d5",
    "binary hat": "e81d393dbad76657b9de96dfa13ceb8fc4752940ccf90e1d73dbe1ee71719ec5",
    "binary mondrian_forest": "b409a06f234aefbdb0b4f90e1acb47de7519dbc588fd0d243bb1b111fef1ec03",
    "binary arf": "af829142e7f901e93a3fa84d8c3d232a0307d31bc59147d37b4a330b30a7a071",
    "binary no_change": "9710c38476b28c2ca97c8659e3050d21689ca3a2356735f7659a8de33b53b233",
    "binary online_linear": "02cb373b5048d3501a310ddb562521a16f9add20aae69d7185ebdcaaf07ade7e",
    "multiclass softmax": "ea9fac7a864748826bd4db64f9e31a9e4ffbdac84b2560b60b4dd0b01fa36f15",
    "multiclass naive_bayes": "a959c20e31903682dd692b71d88c239892f7e8d5f38e225da5ce451f3b5b58ec",
    "multiclass hoeffding_tree": "fe93962de6739204718d8955a68be1952640e15370dda984616d53c59cc9e4a5",
    "multiclass hat": "378bab78c56f52311f27b4f9d82dfd3c13ecf6270d57f94375de86c1676d3600",
    "multiclass mondrian_forest": "ef41d778ffbc55eb6e3193f5cdc78de47c3f5e4c5b761e9ecc6d2a163b334e20",
    "multiclass arf": "b57bbffffa33d20339969621e2cf0f1217befd11df211943ccfa9cdcd7b1aa08",
    "multiclass no_change": "f160e26ea55b7b9a9e643b321ad73de456f7daefdda3f41c49294a7b6acd3bd1",
    "regression linear": "6452196d1910e4b60a4663618d4751dbfd9c0a7e66445594f7c830a9815e1dca",
    "regression hoeffding_regressor": "2b1e28782705b2546c545349bea8dd42b727313c9144797b9d013cdda2a73b19",
    "regression mondrian_regressor": "2ba3dd87542c79988551833931e434675aa3c773a4081b9e07e3e441ff7aad0a",
    "regression mean": "07a068f63c7a51c85fda72597880f01b0b384de2b6b5e9a3d26a0f3e0e16374b",
    "regression online_linear": "187672817f8d8cf3f2f2afe18cf20495838e9a239bfc39e4879ce401d42a92ea",
}

SINCE_312 = {
    "binary alma": "3158642088487aae522893a4cf27b36f130a22909b74fc3972e4bc92638c5aff",
    "binary pa": "be38226278d083269b4c064f271b1d7b08052b6ad1a4a12f6b78d49eba535390",
    "binary naive_bayes": "9f70d79be1c08a66df012ffd6f86aaaa1f80afff1871c3e6220bd10c579c264d",
    "multiclass softmax": "a282b4597196b0e6e83f412f705a20395d6b6e15e417392de9b811fdb7eda0be",
    "multiclass naive_bayes": "b57436114d1a4675b9a3b77db8ae367b12d7bc623ffbf8b041fcc0cab38e3d62",
    "multiclass hoeffding_tree": "7b5156818e0dd5d3f2521217b2cf439889317cf13b776cfe68bac835ed9e7016",
    "multiclass hat": "60674975abb560bc4a9849422154c4ed6e11f3ac3f842a38c180eec27b85968b",
    "multiclass arf": "d1eb8c5da0e82878c098f6a4d1919f5ab2423135cfc6203730cde965dcab8cef",
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
    assert FORMAT == 8, "print the table anew"


def test_an_encoding_names_no_module_of_ours():
    """So files can move."""
    data = encode(state_of("binary", "logistic"))
    assert b"arm/2" in data
    assert b"learning." not in data


def test_another_process_with_another_hash_seed_has_the_same():
    code = "from headrace.learning.snapshot import digest; from test_published_digests import state_of; print(digest(state_of('binary', 'hoeffding_tree')))"
    path = {"PYTHONHASHSEED": "5", "PYTHONPATH": ":".join([*sys.path, __file__.rpartition("/")[0]])}
    done = subprocess.run([sys.executable, "-c", code], env=path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == PUBLISHED["binary hoeffding_tree"]


if __name__ == "__main__":
    for each in EVERY:
        print(f'    "{" ".join(each)}": "{digest(state_of(*each))}",')
