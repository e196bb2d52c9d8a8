"""The list of runs beside every page, and the actions on runs."""
