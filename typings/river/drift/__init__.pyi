from river.drift.adwin import ADWIN as ADWIN
