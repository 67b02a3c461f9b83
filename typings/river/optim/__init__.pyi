from river.optim import initializers as initializers
from river.optim import losses as losses
from river.optim import schedulers as schedulers
from river.optim.ftrl import FTRLProximal as FTRLProximal
from river.optim.momentum import Momentum as Momentum
from river.optim.sgd import SGD as SGD
