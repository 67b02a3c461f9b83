"""The agents that consume Kafka topics: learning from event logs, ingest of sources, answers to requests."""
