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
    "binary logistic": "598030342679562919924bc2094752c77e5891a210b291bf82f4626ea63226d9",
    "binary alma": "c00ce518f4146bdf2a2aa9fa9861303e7a1caf8884b4c1764e20caa9d248cde6",
    "binary pa": "01d35aa96c79d4ea503f8ac96739502b62c29cfe1f4bf3a67df0d27c2827ff86",
    "binary naive_bayes": "94729b1132f1dcdc881d6d5fc290f54d89140d91407c6bc8be3b438f4cb4a8fd",
    "binary hoeffding_tree": "410b972144e952b4a5687a3b949979093bd4822eaf301291eeb01d989c6cc2d3",
    "binary hat": "ae8a6fe4f217a4cb878d73dd4b4b26d3d242db3e8967aedb677079d89b47b69a",
    "binary mondrian_forest": "b626d00b98085f5f3baf9b67539cb903fa6e14a00764af8ac04d4107f09e3d32",
    "binary arf": "3988dfa76c5d4bd2f503e552c3c488c05f81501832fd5936341c8147e7c4d636",
    "binary no_change": "e21640862d285c52ea3b4282d86ff6354595b40a365df0aadef9b2ff3604ae59",
    "binary online_linear": "1c0b3c3fab03c3acf792996236b9236e950b4274db2421c0077e6ed6ae1da163",
    "binary majority": "13870b15a1cc1a2436060f964935f7c6060b8d5caea5219d5fdf2dc8e0ecef17",
    "multiclass softmax": "824b9e9d3a1e9c46462d9d9feae885e31f5b6d54cc1934748d40b9bc6b9540cb",
    "multiclass naive_bayes": "91f0bdb28c846054a6d1daa147c03d24b4d9b637a49960f767ba0b7b03ffee75",
    "multiclass hoeffding_tree": "9bd623694576c660c6c4bbcc56f7170255b49c3ebd79c85d7587e13c3d83703d",
    "multiclass hat": "91c4f641c277c92804db1c2b6271cb245f15055e18a2911a41f0cb1a19125c31",
    "multiclass mondrian_forest": "5c4c15a0d042e171494ef794be4cf25cef7233d3883b0e878bcc14d70104213b",
    "multiclass arf": "1790de496353dc36d3790a2e218a45950bd185572165beb727ddf882f656cdcf",
    "multiclass no_change": "526be5b9b253189a2ea04e2ae736f286cf6ba9cf90c0e706257e4d8629b03a15",
    "multiclass majority": "21e9e84289ca0402af35e409338e4e7b72a8ee22ddcf6eeb8787a2552ac7b9fa",
    "regression linear": "ea1ae6c5868c0aa492b92eb9f05dcef97c1c215708c120e5d01e2285d49e67e1",
    "regression hoeffding_regressor": "2b424d661d01c51346f92a7331eac7b7c01f5ba7d2e5a9c4d37fc45f5dcafd80",
    "regression mondrian_regressor": "b3c08471d2276b64a9223caa740d019b23e5242cba1bb14ea5e53f6fd5ee5956",
    "regression no_change": "bcceaeeec418e2cb9574772a9d28aa144cb248cf90725c551c6e3d2ddb0f1c65",
    "regression mean": "9e5752b2f88e13101c4cb1a4c025144c007c20c2bc35641a9743671f081ba08b",
    "regression online_linear": "674c2faf18ec14d87875b004755e6f2eefe39ef82613878c3a172f7f538443e7",
}

SINCE_312 = {
    "binary alma": "4bbe5106a22dc3102a1e09ab202ff581b15f31143ef1917af446b64dc14fe592",
    "binary pa": "917c6d0e028bc0764549b8061bf944ab6254d19fac84a71764a09da8258ed725",
    "binary naive_bayes": "d190ca20d551811999d73ee9c0e3e060adabe1135345931c046e0c2bafe4d433",
    "multiclass softmax": "ac77af3223437a008d5cafdc90ca616f49105b74751b75f5faffd0e38adfc6ae",
    "multiclass naive_bayes": "4eeca23908014f3a1a5bcdb16c7ac1333ba578a811f45243c20c5dd3225a01f5",
    "multiclass hoeffding_tree": "068c2284b9ac1660ef74de4e49d48debccf414530970c35674b69061e33eedd8",
    "multiclass hat": "e7c99d3cc38ab1d735e51f64d85b35837a44b67f68f9efb0ed0ed07e5e9bd07b",
    "multiclass arf": "3194ea0d84cde7387bcffd37a64773ddc2fdd2755e476147aebff9ce03bdaea2",
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
