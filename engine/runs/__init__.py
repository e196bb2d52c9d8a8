"""A run on disk: its folder, curves, checkpoints, archive; and the queue of runs."""
