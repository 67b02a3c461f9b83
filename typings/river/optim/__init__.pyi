from river.optim.ftrl import FTRLProximal as FTRLProximal
from river.optim.momentum import Momentum as Momentum
from river.optim.sgd import SGD as SGD
