"""What consumes streams: the learning agent and what it needs of Kafka."""
