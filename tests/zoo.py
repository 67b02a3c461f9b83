"""River's stock models and pipelines, such that each class which a state may consist of is in one of them; and rows for them."""

import functools
import random

from river import (
    anomaly,
    bandit,
    base,
    compose,
    conf,
    drift,
    dummy,
    ensemble,
    facto,
    feature_extraction,
    feature_selection,
    forest,
    imblearn,
    linear_model,
    metrics,
    model_selection,
    multiclass,
    naive_bayes,
    neighbors,
    optim,
    preprocessing,
    proba,
    rules,
    stats,
    time_series,
    tree,
    utils,
)
from river.datasets import synth
from river.tree import mondrian


def rows(kind, count):
    """So many rows of a kind: `binary`, `multiclass`, `regression`, `anomaly`, or one with strings, `text` or `prices`."""
    if kind in ("text", "prices"):
        dice = random.Random(3)
        words = ["lorem", "ipsum", "dolor", "sit", "amet", "a", "b", "c", "d", "e"]
        for _ in range(count):
            x = {"text": " ".join(dice.choices(words, k=8)), "place": dice.choice("xyz"), "a": dice.random(), "b": dice.random()}  # fmt: skip
            y = x["a"] + (x["place"] == "x") + 0.1 * dice.random()
            yield x, y > 0.9 if kind == "text" else y
    else:
        stream = {
            "binary": synth.Agrawal(seed=7),
            "anomaly": synth.Agrawal(seed=7),
            "multiclass": synth.RandomRBF(7, 7, n_classes=4, n_features=6),
            "regression": synth.Friedman(seed=7),
        }[kind]
        for x, y in stream.take(count):
            yield {str(name): value for name, value in x.items()}, bool(y) if kind in ("binary", "anomaly") else y


def plain(model):
    """A pipeline of a model for the rows with strings: without these."""
    return compose.Discard("text", "place") | model


def length_of(x):
    """A function for `FuncTransformer`."""
    return {"length": float(len(x["text"]))}


LogReg, LinReg, Tree = linear_model.LogisticRegression, linear_model.LinearRegression, tree.HoeffdingTreeClassifier


def halved(y):
    """A function for `TargetTransformRegressor`."""
    return y / 2


def doubled(y):
    """Its inverse."""
    return y * 2


HEADRACE_STATE = [length_of, halved, doubled]


class NextValue(base.Regressor):
    """A forecaster as a regressor: it predicts the next value of the series of the labels, whatever the features are."""

    def __init__(self, forecaster):
        self.forecaster = forecaster
        self.learned = 0

    def learn_one(self, x, y):
        self.forecaster.learn_one(y)
        self.learned += 1

    def predict_one(self, x):
        return self.forecaster.forecast(horizon=1)[0] if self.learned > 10 else 0.0


def two_rates(model):
    """Two models with other learning rates, to choose from."""
    return [model(optim.SGD(rate)) for rate in (0.001, 0.01)]


def scaled(model):
    """A pipeline of a model for numbers of one scale."""
    return preprocessing.StandardScaler() | model


def lazy():
    return neighbors.LazySearch(window_size=50)


MODELS = {
    # texts
    "bag multinomial": ("text", lambda: feature_extraction.BagOfWords(on="text") | naive_bayes.MultinomialNB()),
    "bag bernoulli": ("text", lambda: feature_extraction.BagOfWords(on="text") | naive_bayes.BernoulliNB()),
    "bag complement": ("text", lambda: feature_extraction.BagOfWords(on="text") | naive_bayes.ComplementNB()),
    "tfidf": ("text", lambda: feature_extraction.TFIDF(on="text", ngram_range=(1, 2)) | LogReg()),
    # pipelines
    "select": ("text", lambda: (compose.Select("a", "b") | preprocessing.StandardScaler()) + (compose.Select("place") | preprocessing.OneHotEncoder()) | LogReg(optim.Adam())),
    "target agg": ("text", lambda: compose.Select("place") | feature_extraction.TargetAgg(by="place", how=stats.Mean()) | LogReg()),
    "agg": ("text", lambda: compose.TransformerUnion(compose.Select("a"), feature_extraction.Agg(on="a", by="place", how=utils.Rolling(stats.Mean(), 10))) | LogReg(optim.AMSGrad())),
    "function": ("text", lambda: compose.FuncTransformer(length_of) | LogReg(optim.AdaMax())),
    "partial": ("text", lambda: compose.FuncTransformer(functools.partial(length_of)) | LogReg(optim.Momentum())),
    "type": ("text", lambda: compose.SelectType(float) | linear_model.ALMAClassifier()),
    "product": ("text", lambda: compose.TransformerProduct(compose.Select("a"), compose.Select("b")) | LogReg(optim.AdaGrad(), l2=0.1)),
    "prefix": ("text", lambda: compose.Prefixer("x_") | compose.Select("x_a") | preprocessing.MaxAbsScaler() | LogReg(optim.SGD(optim.schedulers.Optimal(optim.losses.Log())))),
    "hasher": ("text", lambda: preprocessing.FeatureHasher(n_features=16, seed=1) | LogReg(optim.FTRLProximal())),
    "ordinal": ("text", lambda: preprocessing.OrdinalEncoder() | LogReg(optim.Averager(optim.SGD(0.1)))),
    "imputer": ("text", lambda: preprocessing.StatImputer(("place", stats.Mode())) | plain(LogReg(optim.NesterovMomentum()))),
    "poly": ("text", lambda: plain(feature_extraction.PolynomialExtender() | linear_model.PAClassifier(mode=2))),
    "min max": ("text", lambda: plain(preprocessing.MinMaxScaler() | LogReg())),
    "robust": ("text", lambda: plain(preprocessing.RobustScaler() | linear_model.Perceptron())),
    "adaptive scaler": ("text", lambda: plain(preprocessing.AdaptiveStandardScaler() | LogReg(optim.RMSProp()))),
    "binarizer": ("text", lambda: plain(preprocessing.Binarizer() | naive_bayes.BernoulliNB())),
    "rbf": ("text", lambda: plain(feature_extraction.RBFSampler(seed=3) | LogReg())),
    "normalizer": ("text", lambda: plain(preprocessing.Normalizer() | LogReg(optim.AdaBound(), loss=optim.losses.BinaryFocalLoss()))),
    "variance": ("text", lambda: plain(feature_selection.VarianceThreshold() | LogReg(optim.AdaDelta()))),
    "k best": ("text", lambda: plain(feature_selection.SelectKBest(stats.PearsonCorr(), 1) | LogReg(optim.Nadam(), initializer=optim.initializers.Constant(0.1)))),
    # neighbours
    "knn swinn": ("binary", lambda: neighbors.KNNClassifier(engine=neighbors.SWINN(seed=1, maxlen=200, warm_up=100))),
    "knn": ("binary", lambda: neighbors.KNNClassifier(engine=lazy())),
    "knn regressor": ("regression", lambda: neighbors.KNNRegressor(engine=lazy())),
    # ensembles
    "bagging": ("binary", lambda: ensemble.BaggingClassifier(naive_bayes.GaussianNB(), 3, seed=1)),
    "bagging regressor": ("regression", lambda: ensemble.BaggingRegressor(LinReg(), 3, seed=1)),
    **{
        f"leveraging {method}": ("binary", functools.partial(ensemble.LeveragingBaggingClassifier, naive_bayes.GaussianNB(), 3, seed=1, bagging_method=method))
        for method in ("bag", "wt")
    },
    "adwin bagging": ("binary", lambda: ensemble.ADWINBaggingClassifier(naive_bayes.GaussianNB(), 3, seed=1)),
    "adwin boosting": ("binary", lambda: ensemble.ADWINBoostingClassifier(naive_bayes.GaussianNB(), 3, seed=1)),
    "ada boost": ("binary", lambda: ensemble.AdaBoostClassifier(Tree(), 3, seed=1)),
    "bole": ("binary", lambda: ensemble.BOLEClassifier(Tree(), 3, seed=1)),
    "srp": ("binary", lambda: ensemble.SRPClassifier(Tree(), 3, seed=1)),
    "srp regressor": ("regression", lambda: ensemble.SRPRegressor(tree.HoeffdingTreeRegressor(), 3, seed=1)),
    "stacking": ("binary", lambda: ensemble.StackingClassifier([naive_bayes.GaussianNB(), Tree()], LogReg())),
    "voting": ("binary", lambda: ensemble.VotingClassifier([naive_bayes.GaussianNB(), Tree()])),
    "ewa": ("regression", lambda: ensemble.EWARegressor([LinReg(), tree.HoeffdingTreeRegressor()])),
    # trees and forests, each with its sorts of leaves and branches
    **{
        f"tree {leaf} {criterion}": ("text", functools.partial(Tree, grace_period=20, delta=0.9, tau=0.9, leaf_prediction=leaf, split_criterion=criterion))
        for leaf, criterion in (("mc", "gini"), ("nb", "info_gain"), ("nba", "hellinger"))
    },
    "tree binary split": ("text", lambda: Tree(grace_period=20, delta=0.9, tau=0.9, binary_split=True)),
    "tree histogram": ("binary", lambda: Tree(splitter=tree.splitter.HistogramSplitter())),
    "tree exhaustive": ("binary", lambda: Tree(splitter=tree.splitter.ExhaustiveSplitter())),
    **{
        f"tree regressor {leaf}": ("prices" if leaf == "mean" else "regression", functools.partial(tree.HoeffdingTreeRegressor, grace_period=20, delta=0.9, tau=0.9, leaf_prediction=leaf, binary_split=binary, splitter=splitter()))
        for leaf, binary, splitter in (("mean", False, tree.splitter.EBSTSplitter), ("model", True, tree.splitter.TEBSTSplitter), ("adaptive", False, tree.splitter.QOSplitter))
    },
    **{f"hat {leaf}": ("text", functools.partial(tree.HoeffdingAdaptiveTreeClassifier, grace_period=20, delta=0.9, tau=0.9, leaf_prediction=leaf, binary_split=binary, seed=1)) for leaf, binary in (("mc", False), ("nb", True), ("nba", False))},
    **{f"hat regressor {leaf} {binary}": ("prices" if leaf == "mean" else "regression", functools.partial(tree.HoeffdingAdaptiveTreeRegressor, grace_period=20, delta=0.9, tau=0.9, leaf_prediction=leaf, binary_split=binary, seed=1)) for leaf, binary in (("mean", False), ("mean", True), ("model", True), ("adaptive", False))},
    **{f"efdt {leaf}": ("text", functools.partial(tree.ExtremelyFastDecisionTreeClassifier, grace_period=20, delta=0.9, tau=0.9, leaf_prediction=leaf, binary_split=binary)) for leaf, binary in (("mc", False), ("nb", True), ("nba", False))},
    "sgt": ("binary", lambda: tree.SGTClassifier(grace_period=20)),
    "sgt regressor": ("regression", lambda: tree.SGTRegressor(feature_quantizer=tree.splitter.DynamicQuantizer())),
    "amf": ("binary", lambda: forest.AMFClassifier(3, seed=1)),
    "amf regressor": ("regression", lambda: forest.AMFRegressor(3, seed=1)),
    **{f"arf {leaf}": ("text", functools.partial(forest.ARFClassifier, 3, grace_period=20, delta=0.9, leaf_prediction=leaf, seed=1)) for leaf in ("mc", "nb", "nba")},
    **{f"arf regressor {leaf}": ("prices" if leaf == "mean" else "regression", functools.partial(forest.ARFRegressor, 3, grace_period=20, delta=0.9, leaf_prediction=leaf, seed=1)) for leaf in ("mean", "model", "adaptive")},
    **{f"extra trees {leaf}": ("regression", functools.partial(forest.OXTRegressor, 3, leaf_prediction=leaf, detection_mode=mode, seed=1)) for leaf, mode in (("mean", "all"), ("model", "drop"), ("adaptive", "off"))},
    # several classes
    "one vs rest": ("multiclass", lambda: multiclass.OneVsRestClassifier(LogReg())),
    "one vs one": ("multiclass", lambda: multiclass.OneVsOneClassifier(LogReg())),
    "output code": ("multiclass", lambda: multiclass.OutputCodeClassifier(LogReg(), 5, seed=1)),
    "half space trees": ("anomaly", lambda: preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(3, 4, 20, seed=1)),
    "one class": ("anomaly", lambda: preprocessing.StandardScaler() | anomaly.OneClassSVM()),
    "softmax": ("multiclass", lambda: preprocessing.StandardScaler() | linear_model.SoftmaxRegression()),
    # regression
    "target scaler": ("regression", lambda: preprocessing.TargetStandardScaler(LinReg(intercept_lr=0.1))),
    "target min max": ("regression", lambda: preprocessing.TargetMinMaxScaler(LinReg())),
    "bayesian": ("regression", linear_model.BayesianLinearRegression),
    "passive aggressive": ("regression", lambda: linear_model.PARegressor(mode=2)),
    "passive": ("regression", lambda: linear_model.PARegressor(mode=0)),
    **{
        f"linear {loss.__name__}": ("regression", functools.partial(lambda loss: preprocessing.StandardScaler() | LinReg(optim.SGD(optim.schedulers.InverseScaling(0.001)), loss=loss()), loss))
        for loss in (optim.losses.Huber, optim.losses.Absolute, optim.losses.Cauchy, optim.losses.Poisson, optim.losses.Quantile)
    },
    "rules": ("regression", rules.AMRules),
    "factorization": ("text", lambda: compose.Select("place") | facto.FMClassifier(seed=1)),
    "factorization regressor": ("prices", lambda: compose.Select("place", "text") | facto.FMRegressor(seed=1)),
    **{f"{kind.__name__}": ("text" if "Classifier" in kind.__name__ else "prices", functools.partial(lambda kind: compose.Select("place", "text") | kind(seed=1), kind)) for kind in (facto.FFMClassifier, facto.FFMRegressor, facto.FwFMClassifier, facto.FwFMRegressor, facto.HOFMClassifier, facto.HOFMRegressor)},
    "ad predictor": ("text", lambda: compose.Select("place") | preprocessing.OneHotEncoder() | linear_model.AdPredictor()),
    "target transform": ("regression", lambda: scaled(compose.TargetTransformRegressor(LinReg(), halved, doubled))),
    "clipped": ("regression", lambda: preprocessing.PredClipper(scaled(LinReg()), 0, 30)),
    "jackknife": ("regression", lambda: conf.RegressionJackknife(scaled(LinReg()))),
    "series": ("regression", lambda: NextValue(time_series.SNARIMAX(p=2, d=1, q=2, m=4, sp=1))),
    # choosing among models
    **{f"bandit {type(policy).__name__}": ("binary", functools.partial(lambda policy: scaled(model_selection.BanditClassifier(two_rates(LogReg), metrics.Accuracy(), policy)), policy)) for policy in (bandit.EpsilonGreedy(0.1, seed=1), bandit.UCB(1.0, seed=1), bandit.Exp3(0.5, seed=1))},
    **{f"bandit regressor {type(metric).__name__}": ("regression", functools.partial(lambda metric: scaled(model_selection.BanditRegressor(two_rates(LinReg), metric, bandit.EpsilonGreedy(0.1, seed=1))), metric)) for metric in (metrics.MAE(), metrics.MSE(), metrics.RMSE(), metrics.R2())},
    "greedy": ("regression", lambda: scaled(model_selection.GreedyRegressor(two_rates(LinReg), metrics.MAE()))),
    "halving": ("binary", lambda: scaled(model_selection.SuccessiveHalvingClassifier(two_rates(LogReg), metrics.LogLoss(), budget=100))),
    "halving regressor": ("regression", lambda: scaled(model_selection.SuccessiveHalvingRegressor(two_rates(LinReg), metrics.MAE(), budget=100))),
    # anomalies
    "loda": ("anomaly", lambda: scaled(anomaly.LODA(n_bins=10, n_random_cuts=5, seed=1))),
    "lof": ("anomaly", lambda: scaled(anomaly.LocalOutlierFactor(n_neighbors=5, engine=lazy()))),
    "quantile filter": ("binary", lambda: scaled(anomaly.QuantileFilter(anomaly.OneClassSVM(), q=0.99)) | LogReg()),
    "threshold filter": ("binary", lambda: scaled(anomaly.ThresholdFilter(anomaly.OneClassSVM(), threshold=0.9)) | LogReg()),
    # the rest
    "oversampler": ("binary", lambda: imblearn.RandomOverSampler(LogReg(), {True: 0.5, False: 0.5}, seed=1)),
    "sampler": ("binary", lambda: imblearn.RandomSampler(LogReg(), {True: 0.5, False: 0.5}, seed=1)),
    "hard sampling regressor": ("regression", lambda: imblearn.HardSamplingRegressor(LinReg(), p=0.1, size=20, seed=1)),
    "chebyshev over": ("regression", lambda: scaled(imblearn.ChebyshevOverSampler(LinReg()))),
    "chebyshev under": ("regression", lambda: scaled(imblearn.ChebyshevUnderSampler(LinReg(), seed=1))),
    **{f"last tree {leaf}": ("text", functools.partial(lambda leaf: plain(tree.LASTClassifier(change_detector=drift.ADWIN(0.9), leaf_prediction=leaf)), leaf)) for leaf in ("mc", "nba")},
    "mondrian tree": ("binary", lambda: mondrian.MondrianTreeClassifier(seed=1)),
    "mondrian tree regressor": ("regression", lambda: mondrian.MondrianTreeRegressor(seed=1)),
    "no change": ("binary", dummy.NoChangeClassifier),
    "undersampler": ("binary", lambda: imblearn.RandomUnderSampler(LogReg(), {True: 0.5, False: 0.5}, seed=1)),
    "hard sampling": ("binary", lambda: imblearn.HardSamplingClassifier(LogReg(), p=0.1, size=20, seed=1)),
    "retraining": ("binary", lambda: drift.DriftRetrainingClassifier(LogReg(), drift.binary.DDM())),
    "retraining eddm": ("binary", lambda: drift.DriftRetrainingClassifier(LogReg(), drift.binary.EDDM())),
    "retraining hddm": ("binary", lambda: drift.DriftRetrainingClassifier(LogReg(), drift.binary.HDDMA())),
    "retraining hddm w": ("binary", lambda: drift.DriftRetrainingClassifier(LogReg(), drift.binary.HDDMW())),
    "prior": ("binary", dummy.PriorClassifier),
    "quantile": ("regression", lambda: dummy.StatisticRegressor(stats.Quantile())),
}  # fmt: skip

PARTS = [
    *(kind() for kind in (stats.Count, stats.Sum, stats.Kurtosis, stats.PeakToPeak, stats.Skew, stats.SEM, stats.Var, stats.Max)),
    stats.Shift(2), drift.PageHinkley(), drift.KSWIN(seed=1), drift.NoDrift(), drift.ADWIN(),
    proba.Multinomial(), proba.Beta(), metrics.R2(), metrics.RMSE(), metrics.CrossEntropy(),
    metrics.LogLoss(), metrics.MSE(), metrics.MAE(), metrics.Accuracy(),
]  # fmt: skip
"""What stands in none of these models."""
