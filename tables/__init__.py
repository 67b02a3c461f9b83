"""Tables, which survive a crash: a compacted changelog topic has the truth, and a RocksDB has a copy of it."""
