"""The pure fold: records in, state and effects out. No Faust, no Kafka, no disk, no clock."""
