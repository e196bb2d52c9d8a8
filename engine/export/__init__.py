"""Export of runs, traversals and tables for other programs."""
