"""Wiring: settings, the worker, the command line and the web views."""
