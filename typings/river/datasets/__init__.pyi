from river.datasets.phishing import Phishing as Phishing
