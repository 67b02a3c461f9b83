from river.optim.sgd import SGD as SGD
