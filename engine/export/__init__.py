"""Runs, traversals and tables as files for other programs."""
