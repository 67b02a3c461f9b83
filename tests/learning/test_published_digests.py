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
    "binary logistic": "0c377e70bff3afc73a0b114c5b8d0e2d381665009cec09906edba2112f5e5bd3",
    "binary alma": "9fba4122f4a12a343dca65e6de29d73d4a698936a85629daa848c3d366b7207d",
    "binary pa": "65a2cd246957248ffb8a0698b89f531a093288e2100113c9ed7472f7b1d0918d",
    "binary naive_bayes": "4af64be4a51e2bbb3d4da9f38a7b1683d26d99cc4c320e721d43a1c3c45f5c7a",
    "binary hoeffding_tree": "55505c1da336ea4ec039734cfd37b78b0b13d8f0c4ea1d9a56e10f1c257f4c38",
    "binary hat": "739df2f76d6cefb48ff49179306a700666d0f72abf79d5e75badf45025e8620c",
    "binary mondrian_forest": "3da999f9d70edf1650137572d85a2b11df1b6a17175cc442b45c2655b2561932",
    "binary arf": "d444efd7a0a2b9d105f093109003cb8bbbd24643175cdb10317f1ddbab2305a5",
    "binary no_change": "94156318409eb3e57c86ca4c8e26fd48491f2fa92b05231ad38a13b20d65f5c0",
    "binary online_linear": "99cf0889203994f3fb93874f0f3663b69a11d0a72bda5c784a4be551d24f7c33",
    "binary majority": "9a29b837b37890eb1217c10def1d32e78aef427eabb05c9ca6513c868e5ec5af",
    "multiclass softmax": "930fbcf22237906899d6a25ca2b112cc367375364314e0bc73318d78dc7970a4",
    "multiclass naive_bayes": "c84ef3dead8fc52c8741603d897f95659f12345804e207cfcf48c74d8d30cf3e",
    "multiclass hoeffding_tree": "cf74e455fbc508d9d68ba44ad5b028be5ce37e6e6f907d3439f05b03e6b66378",
    "multiclass hat": "4e760da8f6fa2efa285ebc0fa24e3b83ad2ddea036ef2ea4d452798cb6183cfb",
    "multiclass mondrian_forest": "37f041be249fa5d7fcf3a7a6d1191404726592e6e18ecbec0994567eef9adac7",
    "multiclass arf": "cd4f59e8a349d25ef5809b3e1478c81f4a97b6e5551851f4ccf597d3b59b8593",
    "multiclass no_change": "40f499f435d1710b35fa9ce0630b369c20cee8e9fe159b6738c859ecaa8a9731",
    "multiclass majority": "6738a2ebe58a302a54889cb899e82405854b6c64b2f862d43e068ed4e290aa4d",
    "regression linear": "4218c53ef2e6eb306e8922d5b8666d3318beb85af28d55d17e367026d62e1472",
    "regression hoeffding_regressor": "582a4b28ea41d65365250299cf15a3808dde6dc9c3c83b38ceec77656144da01",
    "regression mondrian_regressor": "9009c7c6190a3bde4ef6a2a6775ff0156fd4cade072af5cbdb8627cb3a402ad5",
    "regression no_change": "c5183b3592e7d1cbc49f7f49d6fdc83d7238af5ae90ccadf727c97432e96d16f",
    "regression mean": "d23172504b3dd6153f73c69825802645d2b0421eb9486f21ea0ce52aad04ce6f",
    "regression online_linear": "95c7658e7f66edc1750a9ffdaa100815dc4830670ff8834b15af9ff0c84dc71f",
}

SINCE_312 = {
    "binary alma": "3cd7cfa2db4b62f966260a4e66450216a5502b9cd70b1f7c32ae6f7c8e6228b1",
    "binary pa": "4448547ecc0aa8f12db3d8b0793276c80c8326a1c7928dbbd0398990b3a4c210",
    "binary naive_bayes": "7da3fc4893267dfe2b29eac56a9b13895c26493299e4d6c9e5a243f964b458c9",
    "multiclass softmax": "fb3146cdedae27feab3060892d5be08dae2bd11de10ea2fd47c4d608db67c5a1",
    "multiclass naive_bayes": "e7e958af85d900fd210cf01eeb6183dacd230e46c6bd3e3e40a1f086134bfbf4",
    "multiclass hoeffding_tree": "ca119d6d4ef50b11a970a9fbaf16ae6a153d63cdfdf73d3aa3d35f68e81d61e5",
    "multiclass hat": "7c32f5758b82b85b07d82a8282cfc0a4c214df9536c40cb6cfeb4396ed0ee129",
    "multiclass arf": "ae29ab90c81e7597f37c49d142f32211961727693af91a5b732c46e265ff3ea5",
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
    assert FORMAT == 9, "print the table anew"


def test_an_encoding_names_no_module_of_ours():
    """So files can move."""
    data = encode(state_of("binary", "logistic"))
    assert b"arm/3" in data
    assert b"learning." not in data


def test_another_process_with_another_hash_seed_has_the_same():
    code = "from headrace.learning.snapshot import digest; from test_published_digests import state_of; print(digest(state_of('binary', 'hoeffding_tree')))"
    path = {"PYTHONHASHSEED": "5", "PYTHONPATH": ":".join([*sys.path, __file__.rpartition("/")[0]])}
    done = subprocess.run([sys.executable, "-c", code], env=path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == PUBLISHED["binary hoeffding_tree"]


if __name__ == "__main__":
    for each in EVERY:
        print(f'    "{" ".join(each)}": "{digest(state_of(*each))}",')
