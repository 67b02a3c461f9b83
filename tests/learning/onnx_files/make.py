"""Makes the files of this folder: models of other libraries, trained on a small table and exported as their users do.

    python make.py pytorch     torch, onnx, onnxscript
    python make.py keras       tensorflow-cpu, tf2onnx
    python make.py boosting    xgboost-cpu, lightgbm, onnxmltools, skl2onnx, scikit-learn

Each writes its `.onnx` files, and `LIBRARY.json`: the versions of the packages, the rows, and what the library itself answers for them.
The tests read these files; none of the libraries is needed for that. Made again with these versions, they are the same, but
for what onnxmltools does at random: the name of its graphs, and the order in which it lists the sets of operators.
"""

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
NAMES = ("length", "width", "weight")
TRAINED, ASKED, EPOCHS = 400, 8, 60

dice = np.random.default_rng(7)
table = dice.normal(size=(TRAINED, len(NAMES))).astype(np.float32)
score = table @ np.array([1.0, -0.5, 0.75], np.float32)
is_large = (score > 0).astype(np.int64)
colour = np.digitize(score, [-0.5, 0.5]).astype(np.int64)
amount = (10 + 3 * score).astype(np.float32)
asked = np.round(dice.normal(size=(ASKED, len(NAMES))), 3).astype(np.float32)

made: dict[str, dict] = {}


def keep(name, data, kind, answers):
    """Write a file, and note what the library answers for the rows: a probability of each label, or a number."""
    (HERE / f"{name}.onnx").write_bytes(without_places(data))
    made[name] = {"kind": kind, "answers": np.asarray(answers, np.float64).round(8).tolist()}


def without_places(data):
    """Leave out where the exporter found the code, which is the place of this folder on one machine, and nothing of the model."""
    import onnx

    model = onnx.load_from_string(data)
    for part in (
        model.graph,
        *model.graph.node,
        *model.graph.input,
        *model.graph.output,
        *model.graph.value_info,
        *model.functions,
    ):
        for field in ("metadata_props", "doc_string"):
            part.ClearField(field)
    return model.SerializeToString()


def both(p):
    """Make both probabilities of that of true."""
    p = np.asarray(p, np.float64).reshape(-1, 1)
    return np.hstack([1 - p, p])


def pytorch():
    import torch
    from torch import nn

    torch.manual_seed(1)

    def train(model, loss, target):
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        x, y = torch.from_numpy(table), torch.from_numpy(target)
        for _ in range(EPOCHS):
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()
        return model.eval()

    def body(columns):
        return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, columns))

    class Flat(nn.Module):
        """Gives one number a row, without a column."""

        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model(x).squeeze(-1)

    class Named(nn.Module):
        """Takes an argument for each feature."""

        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, length, width, weight):
            return self.model(torch.stack([length, width, weight], -1))

    def export(model, *example, **options):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            torch.onnx.export(model, example or (torch.zeros(1, 3),), str(path), **options)
            return path.read_bytes()

    def answers(model, rows=asked):
        with torch.no_grad():
            return model(torch.from_numpy(rows)).numpy()

    # As the exporter's manual has it, with an example of one row; `dynamo=False` is how it was done before PyTorch 2.9.
    logits = train(body(2), nn.CrossEntropyLoss(), is_large)
    softmax = nn.Sequential(logits, nn.Softmax(-1)).eval()
    keep("pytorch-softmax", export(softmax), "binary", answers(softmax))
    rows = {"dynamic_shapes": ({0: torch.export.Dim.DYNAMIC},)}
    keep("pytorch-softmax-any-rows", export(softmax, torch.zeros(2, 3), **rows), "binary", answers(softmax))
    rows = {"dynamic_axes": {"input": [0], "output": [0]}, "input_names": ["input"], "output_names": ["output"]}
    keep("pytorch-softmax-torchscript", export(softmax, dynamo=False, **rows), "binary", answers(softmax))
    keep("pytorch-softmax-no-batch", export(softmax, torch.zeros(3)), "binary", answers(softmax))
    named = Named(softmax).eval()
    keep("pytorch-softmax-named", export(named, *torch.zeros(3, 1)), "binary", answers(softmax))
    keep("pytorch-logits", export(logits), "binary", answers(softmax))
    keep("pytorch-eight-rows", export(softmax, torch.zeros(8, 3)), "binary", answers(softmax))
    deeper = nn.Sequential(
        nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 40), nn.ReLU(), nn.Linear(40, 2), nn.Softmax(-1)
    ).eval()
    keep("pytorch-weights-elsewhere", export(deeper), "binary", answers(deeper))

    logit = train(Flat(body(1)), nn.BCEWithLogitsLoss(), is_large.astype(np.float32))
    sigmoid, flat = nn.Sequential(logit.model, nn.Sigmoid()).eval(), nn.Sequential(logit, nn.Sigmoid()).eval()
    keep("pytorch-sigmoid", export(sigmoid), "binary", both(answers(sigmoid)))
    keep("pytorch-sigmoid-flat", export(flat), "binary", both(answers(flat)))
    keep("pytorch-sigmoid-no-batch", export(flat, torch.zeros(3)), "binary", both(answers(flat)))
    keep("pytorch-logit", export(logit), "binary", both(answers(flat)))

    hues = nn.Sequential(train(body(3), nn.CrossEntropyLoss(), colour), nn.Softmax(-1)).eval()
    keep("pytorch-colours", export(hues), "multiclass", answers(hues))
    logarithms = nn.Sequential(hues[0], nn.LogSoftmax(-1)).eval()
    keep("pytorch-log-softmax", export(logarithms), "multiclass", answers(hues))
    number = train(Flat(body(1)), nn.MSELoss(), amount)
    keep("pytorch-amount", export(number.model), "regression", answers(number))
    keep("pytorch-amount-flat", export(number), "regression", answers(number))
    softmax.double()
    example = torch.zeros(1, 3, dtype=torch.float64)
    keep("pytorch-softmax-64-bit", export(softmax, example), "binary", answers(softmax, asked.astype(np.float64)))
    return ["torch", "onnxscript"]


def keras():
    import keras as k
    import tensorflow as tf
    import tf2onnx

    k.utils.set_random_seed(1)

    def train(last, units, loss, target, inputs=None):
        entered = inputs or [k.Input((3,))]
        row = entered[0] if inputs is None else k.layers.Concatenate()(entered)
        model = k.Model(
            inputs or entered[0], k.layers.Dense(units, activation=last)(k.layers.Dense(8, activation="relu")(row))
        )
        model.compile(k.optimizers.Adam(0.05), loss)
        fed = {one.name: table[:, [at]] for at, one in enumerate(entered)} if inputs else table
        model.fit(fed, target, epochs=EPOCHS, batch_size=TRAINED, verbose=0)
        return model

    def export(model):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            model.export(str(path), format="onnx", verbose=False)
            return path.read_bytes()

    sigmoid = train("sigmoid", 1, "binary_crossentropy", is_large)
    keep("keras-sigmoid", export(sigmoid), "binary", both(sigmoid.predict(asked, verbose=0)))
    row = (tf.TensorSpec((None, 3), tf.float32, name="row"),)
    converted, _ = tf2onnx.convert.from_function(tf.function(sigmoid), row, opset=17)
    keep("tf2onnx-sigmoid", converted.SerializeToString(), "binary", both(sigmoid.predict(asked, verbose=0)))
    softmax = train("softmax", 2, "sparse_categorical_crossentropy", is_large)
    keep("keras-softmax", export(softmax), "binary", softmax.predict(asked, verbose=0))
    colours = train("softmax", 3, "sparse_categorical_crossentropy", colour)
    keep("keras-colours", export(colours), "multiclass", colours.predict(asked, verbose=0))
    number = train(None, 1, "mse", amount)
    keep("keras-amount", export(number), "regression", number.predict(asked, verbose=0).ravel())
    logit = train(None, 1, k.losses.BinaryCrossentropy(from_logits=True), is_large)
    keep("keras-logit", export(logit), "binary", both(1 / (1 + np.exp(-logit.predict(asked, verbose=0)))))
    named = train("sigmoid", 1, "binary_crossentropy", is_large, [k.Input((1,), name=name) for name in NAMES])
    fed = {name: asked[:, [at]] for at, name in enumerate(NAMES)}
    keep("keras-named", export(named), "binary", both(named.predict(fed, verbose=0)))
    return ["keras", "tensorflow-cpu", "tf2onnx"]


def boosting():
    import lightgbm
    import onnxmltools
    import xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    row = [("input", FloatTensorType([None, 3]))]
    few = {"n_estimators": 6, "max_depth": 3}

    def of_xgboost(model):
        return onnxmltools.convert_xgboost(model, initial_types=row).SerializeToString()

    def of_lightgbm(model, **options):
        return onnxmltools.convert_lightgbm(model, initial_types=row, **options).SerializeToString()

    large = xgboost.XGBClassifier(**few).fit(table, is_large)
    keep("xgboost", of_xgboost(large), "binary", large.predict_proba(asked))
    hues = xgboost.XGBClassifier(**few).fit(table, colour)
    keep("xgboost-colours", of_xgboost(hues), "multiclass", hues.predict_proba(asked))
    number = xgboost.XGBRegressor(**few).fit(table, amount)
    keep("xgboost-amount", of_xgboost(number), "regression", number.predict(asked))
    few |= {"verbose": -1}
    large = lightgbm.LGBMClassifier(**few).fit(table, is_large)
    keep("lightgbm", of_lightgbm(large), "binary", large.predict_proba(asked))
    keep("lightgbm-no-zipmap", of_lightgbm(large, zipmap=False), "binary", large.predict_proba(asked))
    hues = lightgbm.LGBMClassifier(**few).fit(table, colour)
    keep("lightgbm-colours", of_lightgbm(hues), "multiclass", hues.predict_proba(asked))
    number = lightgbm.LGBMRegressor(**few).fit(table, amount)
    keep("lightgbm-amount", of_lightgbm(number), "regression", number.predict(asked))
    return ["xgboost-cpu", "lightgbm", "onnxmltools"]


LIBRARIES = {"pytorch": pytorch, "keras": keras, "boosting": boosting}

if __name__ == "__main__":
    for library in sys.argv[1:]:
        made.clear()
        packages = LIBRARIES[library]()
        versions = {package: version(package).partition("+")[0] for package in [*packages, "onnx", "numpy"]}
        written = {"made_with": versions, "rows": asked.astype(np.float64).round(3).tolist(), "files": made}
        (HERE / f"{library}.json").write_text(json.dumps(written, indent=1) + "\n")
