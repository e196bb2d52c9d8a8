"""The list of runs beside every page, and what is done with runs."""
