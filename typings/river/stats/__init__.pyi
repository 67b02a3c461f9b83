from river.stats.mean import Mean as Mean
from river.stats.quantile import Quantile as Quantile
