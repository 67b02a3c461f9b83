"""Waiting: questions and labels wait for each other, records for their event time, and labels to be learned together."""
