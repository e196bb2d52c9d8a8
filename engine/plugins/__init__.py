"""Plug-ins: methods, networks, metrics and data sets that users add."""
