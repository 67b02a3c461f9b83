"""Scrapes the metrics of a worker, as Prometheus does."""

import re

from harness import HTTP
from prometheus_client.parser import text_string_to_metric_families as parse


class Scrape:
    """One scrape of a worker.

    Attributes
    ----------
    families
        Name to family; that of a counter with its `_total`, as the code has it.
    """

    def __init__(self, worker):
        answer = HTTP.get(worker.address + "/metrics", timeout=10)
        assert answer.status_code == 200, answer.text
        self.text, self.headers = answer.text, answer.headers
        self.families = {one.name + ("_total" if one.type == "counter" else ""): one for one in parse(self.text)}

    def of(self, name, **labels):
        """The values of a family with these labels among others, one for each series."""
        family = re.sub(r"_(bucket|count|sum)$", "", name) if name not in self.families else name
        return [
            one.value
            for one in self.families[family].samples
            if one.name == name and labels.items() <= one.labels.items()
        ]

    def one(self, name, **labels):
        """The only value with these labels."""
        (value,) = self.of(name, **labels)
        return value
