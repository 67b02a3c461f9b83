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
    "binary logistic": "6cb2eb7b876434b89c937784fc2dbd6c6f4faf6b44a042bb88e0e6000aac9732",
    "binary alma": "53dfab5f62f6c1c503cd8674ed12b43e4058cab01418401d3ad3fd3af097b949",
    "binary pa": "56c0d7d850b73264174f85c0d79ca41f6d194baa4e1c7637ed98f6ef98cc3682",
    "binary naive_bayes": "08b4a19ecf9dce65906cd3afe801f130fa4c27c5fbbbab09f411f4c405f62b33",
    "binary hoeffding_tree": "ea3399f49fc793ebec1415fbf4648455a5adf44b594298dcc794b81209ff5be7",
    "binary hat": "346f8cbd7b02e1f4f76c504d37fc76d212d1e2020cf84b597b0566e22a370983",
    "binary mondrian_forest": "e2220d86935e8abfc11c4dcf4e9bda47f94bcf337770f93532b2e8dd15ffeb40",
    "binary arf": "2e0c17f87934e3d6e72c5a45b459aff9ed857cb49a20d01e00b72113a195359e",
    "binary no_change": "35f3b6bb60a6881cc43c7e6f21dab40a48ba66b8b07c652c19544636d9a619a5",
    "binary online_linear": "2c6f8bed0a94c47951057ef66e55e66922359bbf2e4aa8cd6f385dba2ba21e30",
    "multiclass softmax": "1a4a3b632b2cb5c6a67ff59e3d263a6cd021607d337271c0aac60b9921551503",
    "multiclass naive_bayes": "c1216bda6d41971a84d6b96ea4c5ff7790e196f3c324b2edda5cdf6d294f0b38",
    "multiclass hoeffding_tree": "02573d2805da97e70920349f4a328bdb235ecb87bb464f3ae17940710d1582c5",
    "multiclass hat": "5d9d5b006dfdf524e7ed3e78e5afc3283a03421ecf469645f1e2762c81b4a850",
    "multiclass mondrian_forest": "6dcf357927c4ff54d4800dc81ad917ab489cb1d693ba80b18901970a36dcf98a",
    "multiclass arf": "1cec164b9bdba5d1b4fda1aa283f9c22de9bfdbbc0f666b7af51994197e272c8",
    "multiclass no_change": "ed0f1b631cba5983fb99ca14290bb3ec0b3d14f02be898d1bd66df7fce0419ea",
    "regression linear": "5ef280a45d8479be03f501619f9a4ba081006b7197276cc71277bf8cf9e99fff",
    "regression hoeffding_regressor": "f1baeecb6e5a8e681ef9a509b4376e81400c40eb2ba13b596d6d187f62d376e4",
    "regression mondrian_regressor": "a72b135069451ae58ca0e8881753fe52620a639d4933c4be6fd2f210e0bfbf41",
    "regression mean": "bbbe8dbaec870eba6cbceb7efc70162a3b41334b0a8cbb2acf1f8f8b98255ff4",
    "regression online_linear": "c8441f5351a03eb2abeb3cbb8a6cf6b6d03a47d6dd131439ded5018bd4a3ab25",
}

SINCE_312 = {
    "binary alma": "01ed101a795190c7aab50d47f94c0a88a5f1824aeb61e9d8b2211aa7e47dc683",
    "binary pa": "e3642957969f093f3cea3a194b24f9c84be1e2d5cc64f6c45b5287313c11b786",
    "binary naive_bayes": "2af47405378cce1caabacff70cbf6ba14013fc87587e0b47c7e0ba92c762d668",
    "multiclass softmax": "d9ba73f816c902e1d8d12669bb73923d30bd9ac62a579e64bb21ee63e4b5c782",
    "multiclass naive_bayes": "fdc48504a7bb5610d8517abc5284f292563db891f60310c92d8d6def8dd21208",
    "multiclass hoeffding_tree": "3abb053c3d078d27e3b312347e8c2151d1f269e175c73c92ef7e703ac8f64aac",
    "multiclass hat": "2df47f0f8e380a15411808592bf40123b07cc81fba4137e3ab8c4597dd23a6cc",
    "multiclass arf": "1a77a741de96a1d8ef83ab4e3286d753377d1cbff532a4ead38a1d9ec74d865f",
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
    assert FORMAT == 6, "print the table anew"


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
