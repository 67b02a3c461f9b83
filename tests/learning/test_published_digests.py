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
    "binary logistic": "2f31fadc9d47f216bec7618d3b6ce31e1f655354d8fc8d39752f6b3140d7ba76",
    "binary alma": "d4b2204e08fb1c909637ca1814918525b917c82ba07e6ad11103f0f3593f4f8d",
    "binary pa": "e7ca34713d5ae2f614e8be4c171142e9fc330a23947658eb2290e48425517360",
    "binary naive_bayes": "d0a19c3a9523dedfc8780d7fb47ec237283faa4fc19164b2dd41111070450bb4",
    "binary hoeffding_tree": "11fef08e3dd15d415cf9a5d8ec16cff0defedb8359d71a1e399a80f452b9d8bd",
    "binary hat": "d31f7b92e4912d2799b34b3c4e4b04fa11e6db0dc60ed94528a86161c5fe6d48",
    "binary mondrian_forest": "8d9e1d1d2cd256d758860a9654ad97b6c643f6300ea8bb7189be1c157ab5618f",
    "binary arf": "65da92a398ba1ec663927cce1a5ac3ec234fe0611d49631481a5e6b5b72cb2a1",
    "binary no_change": "2f232e97de072833f252a6d230b92436f6bbd7a878ad38f6ed5ad5578c9e68c0",
    "binary online_linear": "8f5baec44cfb6c8a3128bf2a1026fee5c9ae80718b4f8fd0285621470f061179",
    "multiclass softmax": "e057ace0afa4abacbc31b21d4380049cd100181a199d0f5004e354529212dbf7",
    "multiclass naive_bayes": "ccd964e0f81ea73dfb841dc459cbdc230a9e6805fb098b4d539a5cd7c67c680c",
    "multiclass hoeffding_tree": "8d7847ee6ead971ef1bc905006ba194805d2c1ab5b1eee03ef9d290e855731eb",
    "multiclass hat": "18b8037726cf975323c5bcfff9c5bb79314ee332b0b01928355da30c9f1d8ec2",
    "multiclass mondrian_forest": "44de4fbe102f1f7f066fa506049acfe05741305b125eed8a1437a97656e6d8c8",
    "multiclass arf": "10c1ef6bd884ec108c046f331d0609c7d1a5474152cc334c82b9db9de83662fa",
    "multiclass no_change": "4ca9536f95d889fa177df94daaffcba1ab35edb481d0e3c8ab3e1236afe0e286",
    "regression linear": "1a3907aa70c81ae556a6bebc88412b1f7fae2f2e4c508cd9a147bc4cd513abc9",
    "regression hoeffding_regressor": "9be1d8340d53d4f1cd0ac476ec58b32bfdd8c6f494df69147ded14ab83b653bf",
    "regression mondrian_regressor": "03970d1efb170dd3d33611d00677059bef3e77449222f342fa044db6053a8fe9",
    "regression mean": "e2db0da99566340d3467ad6de1cddc04e96c9a03e5e75c8ca9c340ce302a6927",
    "regression online_linear": "c0f89098ea6ba79145f384cc5545bcf1a7893cca05f4470c7af69d3d79b15e05",
}

SINCE_312 = {
    "binary alma": "23357f891fe21b2f7b7cf4bed94d55451685dc3dd82f2f1a5b8dbaf7f461255b",
    "binary pa": "63db53ffdb0ade7cdee15715bec83c09bb486ecc299034fb9077fc04b78a1db0",
    "binary naive_bayes": "a932b3953675623c19ff041dde8a8b82f8c0de83c8a32f311a8811b7563be153",
    "multiclass softmax": "5f6480a85b05611ffff769e34f5f8bf30d6fa8490d4f4379e96f857185f2f557",
    "multiclass naive_bayes": "591bc6e78763c6327e4486f55dfdff269874da7af088a807b597488235611798",
    "multiclass hoeffding_tree": "01dd4f05bee5c2187f0df04d790d068a2347574b82960467e581521f00fee5aa",
    "multiclass hat": "d6410a526752e30ec15b97273fcd29f5c72d61282c58c142882e234cf449439b",
    "multiclass arf": "60257e01d4a68e7ceeae72294db8bb568c05813ce5463cc8ec8c4d31b42a5684",
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
