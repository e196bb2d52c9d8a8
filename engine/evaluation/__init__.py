"""Metrics: pure functions of arrays, one file each, and the job that computes and stores them."""
