"""Acts: what commands and reactions do to the state of a shard."""
