"""What states are encoded as does not change from one release, Python or machine to the next, unless `FORMAT` does.

    PYTHONPATH=tests/learning .venv/bin/python -c "import headrace, test_published_digests; test_published_digests.show()"

prints the table; `headrace` comes before NumPy, as in a worker. It was compared with Python 3.11, 3.12 and 3.13.
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
    "binary logistic": "06178bbce8a73538a8b22239e95fec90ea7412c065c0181c0ac66ba0547a0dea",
    "binary alma": "e2853a89f7348c2667adc37f3b11cdce9b67a29522f149826592fda8b8519161",
    "binary pa": "ead73386ba55f4fd2a67ae8254e0dc34913304e990be829b36cc45edc5dc58b5",
    "binary naive_bayes": "472c1df701536ee54c69b370b1322681bf09e4ca43752f8772f55955e382bd24",
    "binary hoeffding_tree": "9c019a3c0eae44e0fe3c0a51c3df0784b8d475d609cbf59262a965d339d9a4a0",
    "binary hat": "8bae80151f1a36ea8c73d80fb1def76259bb72e41310475b9155134fc05f741f",
    "binary mondrian_forest": "18673f3011e0aadb1b11dfe554120d88866504472c2d546d73ac68df0db284a8",
    "binary arf": "a67100216bc1f743458ac3241293cc19da0fce3bd71cdc89d958236a91514493",
    "binary no_change": "4d60d345d583daa81d86ba8455b8c502ff33ff09c6cbd0366cf694c8b13e4a6f",
    "binary online_linear": "d3d074f0cf00400db6d007373e1e7553c68d48ad9ea3151371afccd7d70cc33a",
    "binary majority": "338697f62ed754daa04cc748d99e0045ef91a44bf0c74aafb3262b77c1ef233b",
    "multiclass softmax": "e50c088af45a45538c79002de633614856106bd56a50af5d46945529466b9cb8",
    "multiclass naive_bayes": "bd4bf68385e52764e0a690d7546090be49911fe9398c3203e355960e889aaeb6",
    "multiclass hoeffding_tree": "7d69ccfe18237cb3a8d2b4df466ee20996fb15706a36bb31c281b5881d4a740a",
    "multiclass hat": "53b7d48890ab8142fc42f5e2f575965170a3a039ff23c215f3300a564d2e5179",
    "multiclass mondrian_forest": "f300e866e1a3529b2d2d8e862c6ec95c06a97eade299e4959eb1c6b4d9293b53",
    "multiclass arf": "bc5f8f935b7372b3ca76f8f622832732ea225092f296965443b67d433b9460ef",
    "multiclass no_change": "057f60c8a2fb35851db251594b4d563ddfd82e18a8a168d394d802c7f318ab04",
    "multiclass majority": "542be552608e033ec7dfd4c65dc481957295997a13410570d093ae9c50c2379a",
    "regression linear": "7f5f4d916969d985ffe6df1afb866df276b07b739c5c47ee0b45453db28cdf7d",
    "regression hoeffding_regressor": "32482ab8c918a9cc379516ef456873239ca9c5e6e2d62fe3f90adcf6641b5886",
    "regression mondrian_regressor": "cd2b4c761067e311fa2fac457f8ec692eae8201f73d60dcd4a31681ea67889fa",
    "regression no_change": "2ccbf8245db1642c307669f5c8824a3585d8569f634c9ef062dfeb4eade60088",
    "regression mean": "0dd94d78a34a6465d56dbb24d9a8e3b70dddfd2ef2e9bb6d6422ce795d14e7b1",
    "regression online_linear": "8e5107f9149d4d78a6bda45bcf20a7271dafbcdd410dd1a884be866a28f7440f",
}

SINCE_312 = {
    "binary alma": "78a179a4d145906b87594f081437e080e632fbe85b4017951eb86ecd50615aa9",
    "binary pa": "145bd679b39705a82400f1a1cae90475931d580e8247875cdae1106c9c97cf24",
    "binary naive_bayes": "ef56aba0e2b373017349aeeed6d6d901f9e9734a08032f151a9bdaa6bc518d67",
    "multiclass softmax": "8f2c0e3cf46f7a61f93394f95ef36bc5a76873f42abf15cbc8e29730b0efa56d",
    "multiclass naive_bayes": "54454247d61bf19f7fb38f6b9f492eefa55fd0699dfd08f5178ff44502dcb256",
    "multiclass hoeffding_tree": "ea8091b4952740c98e926d00054592789fe3bf397511cf6a198efbc99f7f9977",
    "multiclass hat": "7acfb5506f74ddb1e89b2cdf363460176012796eaa1d183726de71294f3e28ce",
    "multiclass arf": "9fc0ddb8e8b3fd1c6a7fac80c95b05843e0bbfc9c30fcb78629581562b8ccb94",
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
    assert FORMAT == 11, "print the table anew"


def test_an_encoding_names_no_module_of_ours():
    """So files can move."""
    data = encode(state_of("binary", "logistic"))
    assert b"arm/5" in data
    assert b"learning." not in data


def test_another_process_with_another_hash_seed_has_the_same():
    code = "from headrace.learning.snapshot import digest; from test_published_digests import state_of; print(digest(state_of('binary', 'hoeffding_tree')))"
    path = {"PYTHONHASHSEED": "5", "PYTHONPATH": ":".join([*sys.path, __file__.rpartition("/")[0]])}
    done = subprocess.run([sys.executable, "-c", code], env=path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == PUBLISHED["binary hoeffding_tree"]


def show():
    """Print the table."""
    for each in EVERY:
        print(f'    "{" ".join(each)}": "{digest(state_of(*each))}",')
