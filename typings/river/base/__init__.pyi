from river.base.anomaly_detector import AnomalyDetector as AnomalyDetector
from river.base.base import Base as Base
from river.base.classifier import Classifier as Classifier
from river.base.ensemble import Ensemble as Ensemble
from river.base.estimator import Estimator as Estimator
from river.base.regressor import Regressor as Regressor
from river.base.transformer import Transformer as Transformer
