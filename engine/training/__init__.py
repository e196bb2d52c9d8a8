"""Training a run: the loop, previews, the held-out curve, estimates of time and disk space."""
