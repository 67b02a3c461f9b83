"""What waits: questions and labels for each other, records for their time, labels to be learned together."""
