"""A bare aiohttp server with the same model and the same answer: what a prediction costs without Headrace.

Started by `prediction.py`; its only argument is the port. `raw_server.py` gives the same answer.
"""

import sys

import msgspec
import uvloop
from aiohttp import web
from river import datasets, linear_model, optim, preprocessing

MODEL = preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(0.005))
for features, label in datasets.Phishing():
    MODEL.learn_one(features, label)


class Question(msgspec.Struct):
    """What is asked."""

    features: dict[str, float]


decode = msgspec.json.Decoder(Question).decode


def answer(body: bytes) -> bytes:
    """Answer one question."""
    probabilities = MODEL.predict_proba_one(decode(body).features)
    told = {
        "id": "1",
        "prediction": probabilities[True] > 0.5,
        "probabilities": {"false": probabilities[False], "true": probabilities[True]},
        "arm": "champion",
        "version": None,
        "position": 1250,
        "staleness_s": 0.0,
    }
    return msgspec.json.encode(told)


async def predict(request: web.Request) -> web.Response:
    """Answer one question."""
    return web.Response(body=answer(await request.read()), content_type="application/json")


async def ready(_request: web.Request) -> web.Response:
    """The server is up."""
    return web.json_response({"status": "ready"})


if __name__ == "__main__":
    uvloop.install()
    app = web.Application()
    app.router.add_post("/v1/phishing/predict", predict)
    app.router.add_get("/readyz", ready)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
