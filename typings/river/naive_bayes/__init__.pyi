from river.naive_bayes.gaussian import GaussianNB as GaussianNB
