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
    "binary logistic": "ed89e4362317f635b1a0286afb98e7ae34a759d6a3923fcd3a6f05e607a2ff7d",
    "binary alma": "fd033f57294d7a33a3c9b0704b2061c045ed1bc3027f5b9aec5420f5af788b60",
    "binary pa": "7aea1713f8d93796b0bb7f5ec62200ff9365d0703362dd3e2b9385f548b4528a",
    "binary naive_bayes": "84521419b2657812bbd68eb4c0553dd84fe9ce39a6c105f3c976bca09d838812",
    "binary hoeffding_tree": "15fa7f29d0e7ee4055fa2537a75ac46ac7618958150b5408fbd0f6ae141c3f8e",
    "binary hat": "36108719135a6bd148d8e6250a5189c22fa98f2caea993fc7f05806daf0d43b5",
    "binary mondrian_forest": "f515e40a53071477b300cd51598ca0033c3135e8be9242a93effcbe6e1b90b93",
    "binary arf": "7485edd87370b32e003a0d1e55dcfeebf18a9162bc4590d1b95d4a543937c502",
    "binary no_change": "38372d37a5424d798e90ea7fb4291b773e9ab06bfc27ad0a03db4e8f96070429",
    "binary online_linear": "ee57f8154b330870b501e7b236703bddc4bb1dc2048634d457d5b90a42e7139a",
    "binary majority": "0d5ff6bc7b6dd9a138a2da50694657752cc643573a1df9dbf8852f1cb372ab93",
    "multiclass softmax": "d173748e0281f9ca73c22bcd62722dcb9542089053ef5e906bacc0a95e7acfa0",
    "multiclass naive_bayes": "7b9ff6d0d657983a460462ecdd7a825abfce39aceb4c679c242a11333333588d",
    "multiclass hoeffding_tree": "96762e2a17167b1f2e31171cb090dd8da026e578fd74eae0bc71fd43998942a2",
    "multiclass hat": "3abe677e79e785713b44d5f1ebbdac759927c4a90e13f7d6044778662bca5fb9",
    "multiclass mondrian_forest": "b9e29f1d9f4a8ecd760ab97142f96ad28375255d022906a5cac1f7d9b4ede65e",
    "multiclass arf": "94dd22ddbd3dcbe11fb7f941d67cdb4f26c1ef72ee21a2e061c4543bd8808382",
    "multiclass no_change": "1ce9e4be5ad99e603ccf9a86b8421b1b0da30ec09fcc135fc287a67ae9655044",
    "multiclass majority": "598d747379a00f1e1ecd34583692a80b7559a7932c043d3c13111a0c7e081c58",
    "regression linear": "3a585bd608f162038e5fd9c23f141c66a92c8587c4d357cd3e51244654c7dc88",
    "regression hoeffding_regressor": "6a7176d120472bcabaf713d74268fccae4ec359f81046856d8b330074c1df1a8",
    "regression mondrian_regressor": "7dc2992bb67b7963eaf3375b537a4f33f6e1c2cf15893be9eef9222f4b1914a1",
    "regression no_change": "1320f88573220f9f7c811b02eb1e1f494258b7b22405deb17b2c9edb36e22c6f",
    "regression mean": "56043bfdd07dedfb58cff192743689f3cdcdf81ad60bb25b9ff9e40a005266c7",
    "regression online_linear": "a296e196bef33596a6fa4f6d152d2aaffc75d8a13c5ee3aa83d730d3ba0b9913",
}

SINCE_312 = {
    "binary alma": "8a5defd2d3672029a8a30ccac492f2db35c36a6e9e2bfb85ad8d80c20e1d959e",
    "binary pa": "a1d115553a3baa42eeaccca90a8734675cd4c121ab9f483fbef4955bcdfc6909",
    "binary naive_bayes": "21890393fbefc1dd2f32dd275daa6eb8a7cde6eab6f7cd5a2c30b9fa0945c84a",
    "multiclass softmax": "eadd68425cc1ca97fb5608ec11d01e84f55ef75ab70d4dcbe91da49f7023d9e9",
    "multiclass naive_bayes": "90cbe336df3d33c24a583b84b1e5dbb30c3669b673db2729acc6e4bc60c5bdcb",
    "multiclass hoeffding_tree": "e6980a415473611173a2706ddfbfe473d7bad28f28e712eb1574bcbe30105ba3",
    "multiclass hat": "721b7296c415a50687ee5352ea50943edb292eaaccdd538f3c63a327986eb9c9",
    "multiclass arf": "a37c7b9694e9bc3a339fa60e41d183320e47993681bec8a091f49c7a92360225",
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
    assert FORMAT == 10, "print the table anew"


def test_an_encoding_names_no_module_of_ours():
    """So files can move."""
    data = encode(state_of("binary", "logistic"))
    assert b"arm/4" in data
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
