"""The classes of our own that a state consists of, and what stands for each in an encoding, whatever module it moves to."""

CLASSES = {
    "arms.arm": {"Arm": "arm"},
    "arms.own_answers": {"OwnAnswers": "own-answers"},
    "drift.adwin": {"Adwin": "adwin"},
    "metrics": {"Scoreboard": "scoreboard", "ServedScores": "served-scores"},
    "metrics.accuracy": {"Accuracy": "accuracy"},
    "metrics.f1": {"F1": "f1", "MacroF1": "macro-f1"},
    "metrics.log_loss": {"CrossEntropy": "cross-entropy", "LogLoss": "log-loss"},
    "metrics.mae": {"MAE": "mae"},
    "metrics.r2": {"R2": "r2"},
    "metrics.rmse": {"RMSE": "rmse"},
    "models.adaptive_forest": {"AdaptiveForest": "adaptive-forest", "ForestTree": "forest-tree"},
    "models.baseline": {"NoChange": "no-change"},
    "models.classes": {"Classes": "classes"},
    "models.hoeffding": {
        "AdaptiveTreeClassifier": "adaptive-tree-classifier", "TreeClassifier": "tree-classifier", "TreeRegressor": "tree-regressor",
    },
    "models.mondrian": {"MondrianForest": "mondrian-forest", "MondrianRegressor": "mondrian-regressor"},
    "models.online_linear": {
        "OnlineLinearClassifier": "online-linear-classifier", "OnlineLinearRegressor": "online-linear-regressor",
    },
    "models.preparing": {"OneHot": "one-hot", "Prepared": "prepared", "Scale": "scale"},
    "records.mark": {"Mark": "mark"},
    "state": {"State": "state"},
    "turn": {"Origin": "origin"},
    "waiting.batch": {"BatchState": "batch", "Row": "row"},
    "waiting.join": {"JoinState": "join"},
    "waiting.order": {"Held": "held", "OrderState": "order"},
}  # fmt: skip
"""Module in `learning` to its classes and the tags of these."""
