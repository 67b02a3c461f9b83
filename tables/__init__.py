"""What survives a crash: tables whose truth is a compacted changelog topic and whose copy is a RocksDB."""
