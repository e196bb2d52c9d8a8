"""Training a run: the loop, live previews, the held-out curve, how long it will take."""
