"""Cells on a cluster of Dask's `distributed`: their host, and what runs on the workers."""
