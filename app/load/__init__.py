"""The load that `headrace bench` runs against a worker: its requests, its connections, and the latencies that it counts."""
