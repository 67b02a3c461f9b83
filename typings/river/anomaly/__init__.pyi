from river.anomaly.hst import HalfSpaceTrees as HalfSpaceTrees
from river.anomaly.svm import OneClassSVM as OneClassSVM
