from river.optim.momentum import Momentum as Momentum
from river.optim.sgd import SGD as SGD
