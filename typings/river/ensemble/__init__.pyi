from river.ensemble.bagging import BaggingClassifier as BaggingClassifier
from river.ensemble.bagging import BaggingRegressor as BaggingRegressor
from river.ensemble.streaming_random_patches import SRPClassifier as SRPClassifier
