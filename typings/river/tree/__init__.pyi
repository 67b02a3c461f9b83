from river.tree.extremely_fast_decision_tree import (
    ExtremelyFastDecisionTreeClassifier as ExtremelyFastDecisionTreeClassifier,
)
from river.tree.hoeffding_adaptive_tree_classifier import (
    HoeffdingAdaptiveTreeClassifier as HoeffdingAdaptiveTreeClassifier,
)
from river.tree.hoeffding_tree_classifier import HoeffdingTreeClassifier as HoeffdingTreeClassifier
from river.tree.hoeffding_tree_regressor import HoeffdingTreeRegressor as HoeffdingTreeRegressor
