"""Answers questions, independent of HTTP and Kafka: the HTTP views and the questions over Kafka both use this package.

A question that cannot be answered raises `RequestRefused`. The views turn it into a problem document, `requests.py` into a line.
"""
