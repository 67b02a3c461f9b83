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
    "binary logistic": "d0d9f5a0c19629bec74deebfb52d3b9ef3b3fcc99ac4802c5194472b8d76bebb",
    "binary alma": "e6598de1009629bc066bea9aa51f3afd9ea574f98c5bebd6835d0c77758d2bb5",
    "binary pa": "dbc1f8968012f46011dce07241a8583d1c2d8f7bf1baa60d08ae9648bc0c6233",
    "binary naive_bayes": "885def32d714a80a9dcd877da004ce2793a8be91a7709bfe35fb4951fa1b07d5",
    "binary hoeffding_tree": "d6be79662ae7baec01e7a92feba4cceba949803f0bd377e705c95ac0be96ac48",
    "binary hat": "548a0a598f10a661e57fd8b3096978bc473ea763ac0aa5e82b960cda1cf41989",
    "binary mondrian_forest": "5c810e0fb5aeddd886001d718273016324ece3b182fb96308f8e59e1d9f45969",
    "binary arf": "828d8486aa1d96745a9fc35ab7161eec25904e6f123d412868747766b3959f94",
    "binary no_change": "30cde63076d8b9de65fd9295fcbddd10a5d72247023f3bb732d482dc25952d20",
    "binary online_linear": "af9f3c4bafa7eb232005ab36c113993155cd30f7074a5874dfd52eaccb29192c",
    "multiclass softmax": "4c4576adffe61f481efd017541927d82b2101a308f39ad00d060e0c98930dccd",
    "multiclass naive_bayes": "6b8ddb6fd79559841cbe780460f9b25492917ac7834a1f56b3104d3afefd1785",
    "multiclass hoeffding_tree": "df469660654c9b5693c77fdb20c537565e922fddb80e65774b75a67a835972fe",
    "multiclass hat": "bab9c455000b20a3e7789c1132e1bfeef75bc22c4f02c9ed3d90dcf8ee664156",
    "multiclass mondrian_forest": "b56f955e2f8d1e263ae51ecacec6e30bdc2f9e8541ff8f63eb1bdb291c5de83b",
    "multiclass arf": "7ce2a11292f4140514ef7ffa07d5be354e6aedeb5628bf1ad35c565f6ffcdc82",
    "multiclass no_change": "7517a5d10ae7d31cf8cab29db58e7f8ac87ef29ceb95112b22a5dbb68973a193",
    "regression linear": "041c3c0ac85352c7b3c29dfc086f881a7c60143182e8d17d7768831ffc98dbb5",
    "regression hoeffding_regressor": "208aed525988de218349e4d4697da5b9c59a4e29f2df1e5ae785463f66702427",
    "regression mondrian_regressor": "83a0fc0c86c26c6de2e78c7ceb0092f5c9ada01be610af84646cc7bfe99720fb",
    "regression mean": "29e60e17699efbd9545ab1fa7ce0b8a578ef968ea4cf33fdc9b1f647a609e036",
    "regression online_linear": "58d0fd29bf3e2f9aa18109f4e2c780ed3b064b8197b167fc6c6c80a196b0c450",
}

SINCE_312 = {
    "binary alma": "84e90de61cf930ce92b48f2861ac3167eb7a6a8a845d0093f84d3432b77e0a08",
    "binary pa": "5fd226a7a2cb29a0a06c32a12ea37c8a3c3dfbb088e92aa0d20ed7fd312a342b",
    "binary naive_bayes": "6eca4359e83f727a587f42bb8ffa33a014162428a5bae43741112d4df408a627",
    "multiclass softmax": "7443102897c3a0fed1b31c9e2d59e0d6a15eb6487b982f630915d63c8e6e68c2",
    "multiclass naive_bayes": "d4173523b498cab1d0a312be4becd96f10e9205c61b2e5cc01b215d15d11fc4e",
    "multiclass hoeffding_tree": "1aac80edb35b90ab03e0552dc92e3ee30eae547037c7d06bcb13fd63f2c742e9",
    "multiclass hat": "3b93fda8674045f6cdee92d086dd917fef13e5c08ccc6f8146dccf871f3a66e4",
    "multiclass arf": "aba0570bed175077b95a23ecb35cb28f7d608afa3658e25f9c0fff0980d3d547",
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
    assert FORMAT == 4, "print the table anew"


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
