"""The fold: a learner applies the records of one shard to its state, in order."""
