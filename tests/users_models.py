"""Models as a user might write them, most of them with a fault."""

import asyncio
import os
import random
import sys
from typing import ClassVar

from river import base, compose, feature_extraction, linear_model, naive_bayes, preprocessing, sketch


class Half(base.Classifier):
    """Says one half."""

    def __init__(self):
        self.learned = 0

    def learn_one(self, x, y):
        self.learned += 1

    def predict_proba_one(self, x):
        return {True: 0.5, False: 0.5}


class Panic(BaseException):
    """As River's Rust parts raise it."""


class Raising(Half):
    """Raises in the middle of its life."""

    errors: ClassVar = [ValueError("no"), SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError(), Panic("index")]

    def __init__(self, which):
        super().__init__()
        self.which = which

    def learn_one(self, x, y):
        super().learn_one(x, y)
        if self.learned == 150:
            raise self.errors[self.which]


class Maybe(Half):
    """Has a class of its own."""

    def predict_proba_one(self, x):
        return {"maybe": 1.0} if self.learned > 20 else {}


class Forgetful(Half):
    """Has a say in how it is loaded."""

    def __setstate__(self, state):
        self.__dict__.update(state, learned=0)


class Hidden(Half):
    """Goes on from what is none of its attributes."""

    seen: ClassVar = {}

    def learn_one(self, x, y):
        Hidden.seen[id(self)] = Hidden.seen.get(id(self), 0) + 1
        self.learned += Hidden.seen[id(self)]


class Notes(Half):
    """Notes what it is asked, but for the feature a."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def predict_proba_one(self, x):
        self.names |= x.keys() - {"a"}
        return {}


class Tiring(Half):
    """Is less sure each time that it is asked."""

    def __init__(self):
        super().__init__()
        self.asked = 0

    def predict_proba_one(self, x):
        self.asked += 1
        return {True: 1 / (1 + self.asked), False: 0.0}


class Process(Half):
    """Depends on the process that it is in."""

    def learn_one(self, x, y):
        self.learned += os.getpid()


def text_of(x):
    """The text."""
    return x["text"]


HEADRACE_STATE = [text_of]


def scaled():
    return preprocessing.StandardScaler() | linear_model.LogisticRegression()


def words():
    return compose.FuncTransformer(text_of) | feature_extraction.BagOfWords() | naive_bayes.BernoulliNB()


def with_lambda():
    return compose.FuncTransformer(lambda x: x) | linear_model.LogisticRegression()


def bag():
    return feature_extraction.BagOfWords(on="text") | naive_bayes.BernoulliNB()


def unseeded():
    return linear_model.LogisticRegression(intercept_init=random.random())


def chatty():
    print("[]")
    sys.stdout.flush()
    return Half()


class Leaves(Half):
    """Ends a process that is not the first to try it."""

    def learn_one(self, x, y):
        if "USERS_MODELS_PARENT" in os.environ and os.environ["USERS_MODELS_PARENT"] != str(os.getpid()):
            os._exit(7)


class Endless(Half):
    """Does not return from its first row."""

    def learn_one(self, x, y):
        while True:
            pass


class Stubborn(Half):
    """Tries again whatever it raises, five times."""

    def learn_one(self, x, y):
        for _ in range(5):
            try:
                Endless.learn_one(self, x, y)
            except Exception:
                pass
        Endless.learn_one(self, x, y)


class Counting(Half):
    """Holds what is of a module of River that Headrace does not know."""

    def __init__(self):
        super().__init__()
        self.seen = sketch.Counter(seed=1)

    def learn_one(self, x, y):
        self.seen.update(str(y))


class ByHashOrder(Half):
    """Learns in the order of a set of strings."""

    def __init__(self):
        super().__init__()
        self.order = ""

    def learn_one(self, x, y):
        self.order = self.order[-99:] + next(iter(set(x)), "")


class NotANumber(Half):
    """Answers with NaN once it has learned something."""

    def predict_proba_one(self, x):
        return {True: float("nan"), False: 0.5} if self.learned > 10 else {}


class Dicing(Half):
    """Draws without a seed."""

    def learn_one(self, x, y):
        self.drawn = random.random()


class Several(Half):
    """Has three faults, each of another kind: it notes what it is asked, draws without a seed, and answers with NaN."""

    def __init__(self):
        super().__init__()
        self.asked = 0

    def learn_one(self, x, y):
        super().learn_one(x, y)
        self.drawn = random.random()

    def predict_proba_one(self, x):
        self.asked += 1
        return {True: float("nan")}
