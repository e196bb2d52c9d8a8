"""The metrics page: evaluate runs, read and export the table, look at pictures of it."""
