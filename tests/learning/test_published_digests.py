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

ROWS = {"anomaly": 600}
"""Of other kinds 200. Half-space trees are built after their first window."""

STREAMS = {
    "binary": synth.Agrawal(seed=3),
    "multiclass": synth.RandomRBF(3, 3, n_classes=3, n_features=5),
    "regression": synth.Friedman(seed=3),
    "anomaly": synth.Agrawal(seed=3),
}
PUBLISHED = {
    "binary logistic": "63a1112dd966c9b2698b9a5ac1fd7a4b5435779dc5e6d62b682b5575cbdf8da9",
    "binary alma": "eae1f9345c159cf865f2caf71b58a8e70aa2caa1adb7c985bacc43949d3a87ce",
    "binary pa": "d4d7e9b72e8cef451bc573f450faf13f33e032235f4bbe1e387643ddd444517a",
    "binary naive_bayes": "df393105722f751ccc34ebcf5148f0fe36697d8a492f15d21d79158ecc868a67",
    "binary hoeffding_tree": "a201f1d5531a5c0cc4fe9196782ab89d58a2f63675b67f35b5854f49b3418c9b",
    "binary hat": "e7b1d5346a04e4fd13a61413422e80c5daa84fc693ee33ae3c6aa1e5fe3fc159",
    "binary mondrian_forest": "ad64dd6caf331eab1b51a7b20fa0a9efb9034993c77d4ac53d573a8463ba6715",
    "binary arf": "6a1ff7513f8236041aa29771858589903cb9ab6686ff2ac7bd5c72d52886d303",
    "binary no_change": "bb92a0c3e642cd706d659a7ace091c814f10c70f8880bce2b5d8b735eef520a9",
    "binary online_linear": "ed65c329e8eeb5d1f7843652bffbbe679fcb55d44538a2e5681b0c0c2c4d7cae",
    "binary majority": "8483907c3c9f3031aea23118378ece2bf27bcbccd87a66bfc5188d1b578283ce",
    "binary ftrl": "544dde01b437e9797a8cf6b27e7c78d74f1911ec6960fa5e0c69af4392ae1ceb",
    "binary experts": "044ee3d76c6abd90c17b829700172cc1cb64e1824bfad0c8bd08acb38cc13f6c",
    "binary efdt": "762ccb071b8a09aa414064191b3a72bd2d14bdb0ef6675aa75e4933f4333b464",
    "binary bagging": "dced28c0d8a8066fe4c3cf878eeb40a9cb7b55c96feda5a7cd458c323d4813d3",
    "binary srp": "463c1c9fd6ace65102494f98b1a8fbb599394563761116e12074e64f5deb8154",
    "binary committee": "9fd05e286facb43fc0dfd5677843bc441d6536ad35ab45e3ba22f34d6a57f270",
    "multiclass softmax": "cd49b331a80b2a1674278746ec3f4577f849ca27ecb36015e0e188b2b84cba53",
    "multiclass naive_bayes": "c66744c0912a332d0098be920f84c64820a376bf8efe5f72989b1fde8e07c74a",
    "multiclass hoeffding_tree": "05282a45577eabf38cc3f93c6374baa4c419a6a891889cb79209e3d273503367",
    "multiclass hat": "665e2f420cba9aca2dc59cd87de99401113372675612a4beb3ea22e2e2424819",
    "multiclass mondrian_forest": "0e702587ff96819520b3be9844364163ebad197a77e9b8f89b310f0bce91d29c",
    "multiclass arf": "7009a68c6c5d84cac60764ed6c5c91338a37c9f3421a40dba3bb527106400feb",
    "multiclass no_change": "6efd8cf0844bc8d2ec67a6a1948c0c4b03151bfd55096066c99d788cb42d1681",
    "multiclass majority": "85ee145347821e6bfb170480baa80f2b0e6a32f5526249cb8833a017c900b233",
    "multiclass experts": "a29936f2d59f90ed2063b2ed4bfa03857ecb0ad045484f79c06a73d68c806672",
    "multiclass efdt": "6c90ef914fe6387dee0e5b651721668846125049083adc80876919250a759c8e",
    "multiclass bagging": "100e0e78dc39e4e1642edf913d121ccd71051e3be983f25ec536b0c5267bfb00",
    "multiclass srp": "2228ef24ce3f4f371fc6c3e05021516471421a2b78159d4db308b6c1acffc092",
    "multiclass committee": "44a1ef671907c511563a4f5858d8c70948b8c1f1a3b298cad060615501c63b08",
    "regression linear": "de6daeea241ce4e6bf4089c938a5f0a821a9f364ea92f11f695db237c9b8d244",
    "regression hoeffding_regressor": "50d8775bd5dc4032bba33dadd9e48fda42be72d8a01b9b2951717831f4d4ff0f",
    "regression mondrian_regressor": "9ef3faae5eeacffd5683c7135d873e2d174d084de10eb618df73baa3a7faa901",
    "regression no_change": "0bb8cfee576c9250200e0a00ff0e31057c53940e0812f4f959dcf51e50d6a290",
    "regression mean": "a751a7939fbf2d79b7abdab108fead6b21ff58f9122472e6586124965b4c6d54",
    "regression online_linear": "76ff4b341a15ce87aef2da53c54e29a75d646e8db6f4e3e49a42cb61cc76daac",
    "regression experts": "cc61b99b4c7047baea7563331970fb2cd27f43ba2c4ad5a9f10cc2427bb5c912",
    "regression bagging": "9442f9e19ffff4b0eb1e0472f0d95593c60408a4d66c6a1e7a19bea5e8de4a03",
    "regression committee": "7878632e344ba9291a97e1a45524d43c52d6085ca700c9fdb25923969ffd1876",
    "anomaly half_space_trees": "fa0900bd3fda78996d1b2c2d10a9bebedec5b202db837b254e1e70ef584d75fd",
    "anomaly one_class_svm": "51e9af268e1e61580a48e1c5428b8ac7d6ab21ac23d7c9bea7f53f79f6555fe0",
    "anomaly quantile": "ac6b6c2016e2b603a33a38b8fd9986924bd15b42a1e17d1ce89fc3fcaf0074dd",
    "anomaly seasonal": "e095a62b45ed6ae2f282b690d15b3b73cbda5c4424cdd1b1fb19b5d88fcd24eb",
}

SINCE_312 = {
    "binary alma": "feb4e367751153848b44278738e876d39deb61327aba9b9838bfe46e300f7a9e",
    "binary pa": "6956b3dd5e25518788ccc623d5d9f9cb3b62adbafafa551cdf8d3c011219a2d5",
    "binary naive_bayes": "925182f46e459e16ced858d7e3141b6b447164aa465d155ef51ae84a8972b92e",
    "binary experts": "b975036ed92bc1170101890bf374ad33f1ce3ef0687d047e62be50d21e6ee14d",
    "binary committee": "a1206d12807da471e4e4703d6aab1735f4b058f9fc79a865ca278e9c873413e7",
    "multiclass softmax": "fffc715a975135ddcfd4a86d0e2a42f4d36b2543abd4e618880f55641d08c186",
    "multiclass naive_bayes": "795e94505698a7a118950053ebc7e2dbaa439f0b43bb21c121f3920b4e220f95",
    "multiclass hoeffding_tree": "dda795a0f0b998f934994a86e57fee1dd2f47a72f9ee971ae7e8d33b9df7e682",
    "multiclass hat": "bfd883b7010c3b89776392bc441efdc38155e280904e6c4a2210a863f659d5f1",
    "multiclass arf": "e5ddddfba7d91e744dc0341c48e2d319ddc79df63aa5d240135f26cbdfff5147",
    "multiclass experts": "93a06f688bda554e620aceaf2841132208b6c144007798610ca6790de84cd220",
    "multiclass efdt": "67be61907e1aa6d586ec9684ab05f6a4656e675882801982df375511fe25ead6",
    "multiclass bagging": "83dd5afdbac472de729bcee475383e6cebde275a30d8d3f8167ce9da91ab670c",
    "multiclass srp": "5b2610089d6d1a852fbd8a88dffbe294fd31b5d25d8f47b46265cb35a30ce631",
    "multiclass committee": "b88ac3d0d2001441a9e82e760a1a3ee8281b906b6bc087eb220cd70056faf974",
    "regression experts": "83f93f5149f4b5c244d03a56181d086d4f59ae5e70eaa1f55a4d5ec271feb41b",
    "regression committee": "3a105cb9d97c88769d67a327aebca4a28eaf33d2c810bd83e5e91864201facd5",
}
"""From Python 3.12 on `sum` rounds floats but once, and River adds up with it: other last bits, not another encoding."""

if sys.version_info >= (3, 12):
    PUBLISHED |= SINCE_312


def state_of(kind, name):
    """The state after some samples, and questions one of which waits."""
    learner = Learner(Task(name="t", kind=kind, model=name), 0)
    for offset, (x, y) in enumerate(STREAMS[kind].take(ROWS.get(kind, 200))):
        features = {str(feature): value for feature, value in x.items()}
        label = bool(y) if kind in ("binary", "anomaly") else y
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
