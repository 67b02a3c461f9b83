"""The core of answering, which the HTTP views and the questions over Kafka both use: it knows no request of either.

What cannot be answered is a `RequestRefused`. The views answer it with a problem document, `requests.py` with a line.
"""
