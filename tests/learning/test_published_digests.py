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
    "binary logistic": "717a8d837ae1b29a20be4ca0f6fde1c9b1e98b84b33321c2fd7899c077ecb176",
    "binary alma": "588717c1d0a496d0cf70a31c0efaaa383ff0c6522626619e92a233727f267fb6",
    "binary pa": "57f06b826e3a05e0eeb326c388fd4157d54cb031ba25dd651b3931edd79102bb",
    "binary naive_bayes": "9c0563c321fde1d183bd7c9d59b789085afc3e76eb4779ee1354445bb0fe8c15",
    "binary hoeffding_tree": "ab820aff5db72004a10574d2cf836b41997b08c1a25f803136d125c183b90fc9",
    "binary hat": "f9e0f7e8fc86088ce1487b80d968dd6914a6d6e2f884641890aa995839a5c11e",
    "binary mondrian_forest": "e67838ef660e53cc7aeb6ec932188a19bccc236311ec56d4dc0fd3cd894c3196",
    "binary arf": "e49799d23e088d487008914d36fb8605ce0376ae446937555156f14bff472e7e",
    "binary no_change": "1369e4cfbff40d541e35c89fdc9ce6afd946c946aa5eb1206c15e46000175dc1",
    "binary online_linear": "88c73b0c21976c2a24566f4b357adea7f7856fcd1f2a6055dfcbcdf19b14c9cd",
    "binary majority": "c432bfa7e22e0733646d707a7e560b58d154329afcd5b7fd1924c72da57a4e11",
    "binary ftrl": "11d11889c08cc71fb335f6d547a53f33b23e0c2f675449813b3db1bcb2992029",
    "binary experts": "386cf14f958a72b666d984da501b5638942d035321b0fdea183f5647ed7b3e2b",
    "binary efdt": "04b725f9f129eac1566b9fff60e397ec9aac9ec68916117b36f333d64213f84b",
    "binary bagging": "d70aa0a98334c54f4f518da0b15d02dbf33a1e8399dace46358457306acb7ff4",
    "binary srp": "25dc100d1c5034d1fbadee1cb15ede709445de14c1cf3ba9f87b5251d84898dd",
    "binary committee": "227f2690171ecb0302f157b8154a25d04407c6e7f03e23e825668991d33a37b3",
    "multiclass softmax": "56a440e71a2b31514ad9f40a67f35f66d99db2185344bf0f12e188c25bdf438b",
    "multiclass naive_bayes": "89762cfb6b0fb2cfd44f6949b90b1bbb5e7bdf14973d536d8999bff32cfc6fdb",
    "multiclass hoeffding_tree": "4e7a0a1436b5c80ed3430b6db0c45c7693df5c0ae4edc4a22b86c8119aec6ba2",
    "multiclass hat": "3962c9c4f5e10d359850a194089c84aceda09c842be8c4e6e2571892a25f9d2b",
    "multiclass mondrian_forest": "0caf24866f5966f4380837303b1bcbb960cc06fa937de89ca48e7b83f1074a45",
    "multiclass arf": "c296a9a3e91da4adfaa0e3a77518214035c8e09d921a4fd8f6a698edd7b0d347",
    "multiclass no_change": "d27eb823c1a6aabbb6d5be865af6a679d9488e5f31d159493805a30a14fad821",
    "multiclass majority": "dd0bc1d7a7dffbc86a4a4767208b1596f279c3bb05a6eb775ffc712b9997de97",
    "multiclass experts": "bd93ddfa4513c0498600589a51f3bbc6e7f08b7c30154eaf6b4253f251239363",
    "multiclass efdt": "11b6d847d28e6c8531b5bd4f505c8b0ca687a8df2a70ab7806f68f847c2523b4",
    "multiclass bagging": "5a60148ecbc90cacf5d414378933929f01acf9419600839b049b3a793cdb7473",
    "multiclass srp": "ec8447666b9e0f3640baf6f4d44f7771f151edba159179c61208abc0612f8dd8",
    "multiclass committee": "a498472981ffdc56565e2a73e264c3fa04f640a0cc09c82c21777cf43c862304",
    "regression linear": "6c3a557d0f1ca831a7aca0ef282db15313fc1b441447f946b0fab0fe125e42be",
    "regression hoeffding_regressor": "3d95261762512f0b74f73c4230a5b0d0df762c31bc0a213631519413fe2b7a9d",
    "regression mondrian_regressor": "f51706bf43d80cb0babdfc860acb5c6cf6d8a5f25b0b24448004e9e92adb64a2",
    "regression no_change": "c932606aad6b0bea85594464a510a3e779102c4a8894ad2d65478047b4caf38f",
    "regression mean": "bc55f7a5ffb96829a65624a8c876cfe77b1c7a78aa997bfab2076d9b12bc9411",
    "regression online_linear": "6d061d122659ab09e2458dc46eea02d5d374f99b64b88955a3d4531609045b4c",
    "regression experts": "c7c680b1dc6ce607831ccca41698eb89ed7d3bd3e1c4849c270c3ff22675bb7c",
    "regression bagging": "96885739e09e37ecfe45a985930acab5645e9ffe91f24609557d6e507521c02f",
    "regression committee": "0eb22f33851d971291a606f199f8bd49889ac2a58adae6b45405fb1da2d7ef17",
}

SINCE_312 = {
    "binary alma": "a7e9ae8c6b40113bc4ec4e73f48cae74287115d967e6b58e02a65bc36194b431",
    "binary pa": "8cddb64eebda264e71b4a7d247e454d999022daaa61844325b23c331f6d7242a",
    "binary naive_bayes": "f57174e492b394eb45361ec0ef95f6e5fea44157f76bcac09ab6ee6242da4941",
    "binary experts": "786d62112d0fc900948f6864628e22251914394d246a120967ff45a3c75c60e8",
    "binary committee": "03b233c051e6dd89a5ed1128c1df53bd004f631ee8aa02a3fae361a1caa71292",
    "multiclass softmax": "6dc6cb3e6725a3ec229caebfc15ee98d8acdb864c5af4cbe336c4002750e1ab5",
    "multiclass naive_bayes": "94e38481f243d139f6e1b9380fab72e6bc4ed62c0229943a6c62ebf95ec3f3bf",
    "multiclass hoeffding_tree": "745a2e5a97524ea0d069aa2a706938473e5a7561bf7600aad6ed6b42259bcb8a",
    "multiclass hat": "1174d20f3abdb718635a8c1ccd654afa557d3bba92069e18239b91948100acad",
    "multiclass arf": "3090a3fcadc3ead04b50c9af6338ae0cd0aab16cb340a7b118da11f3d5607b58",
    "multiclass experts": "adafb51a222e96ff340c6b83c9e2c03d1bb6312252a739ffa6466f77d5973893",
    "multiclass efdt": "5b97891005f7b3e5c3e17ddbd8eaeacd2e86ad9bcf3be4d1582ce2354b87727a",
    "multiclass bagging": "72e27862470c1fbf787f2c38f67624a368751789dabf44cf93104079af515974",
    "multiclass srp": "a324770c540d4c0b519da5d09c35b4bd2d6f0b3bf41f7244179f73bf79a7520b",
    "multiclass committee": "c67e4654881625c41aa4fce2396dac71117b95f792f2ae3020fb2e4a554f19f1",
    "regression experts": "b0fdc9908deb51c957d688beeb099a8d629fc7f06d393e1cad310506f2f1c6dd",
    "regression committee": "2210802d26b89e9f3aa4779ea8f45d24da9a4a8ccad090445be3fce37b67ee9d",
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
