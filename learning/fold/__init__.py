"""The fold: a learner applies the records of one shard, in order, to its state."""
