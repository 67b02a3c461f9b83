from river.drift import binary as binary
from river.drift.adwin import ADWIN as ADWIN
from river.drift.kswin import KSWIN as KSWIN
from river.drift.page_hinkley import PageHinkley as PageHinkley
