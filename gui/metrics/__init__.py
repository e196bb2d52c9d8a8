"""The Metrics page: evaluate runs, read and export the table, view charts and images."""
