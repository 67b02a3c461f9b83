from river.metrics.accuracy import Accuracy as Accuracy
from river.metrics.cross_entropy import CrossEntropy as CrossEntropy
from river.metrics.fbeta import F1 as F1
from river.metrics.fbeta import MacroF1 as MacroF1
from river.metrics.mae import MAE as MAE
from river.metrics.mse import RMSE as RMSE
from river.metrics.r2 import R2 as R2
from river.metrics.rolling_roc_auc import RollingROCAUC as RollingROCAUC
