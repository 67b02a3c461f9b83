"""Everything that talks to Kafka.

`clients` makes every client and `corrections` puts aiokafka right for them; `producer` appends; `asker` asks where partitions begin and
end, with `ends`, which knows what the embedded broker does otherwise. `topics` says which topics a task has and prepares them, `metadata`
describes those that are there, `partitioner` tells which shard a key belongs to. On these stand `log` (the event log, read without a
group), `appender` (records of sources, in order) and `members` (which worker owns a shard).
"""
