"""Desktop integration: one window per runs folder, no sleep while training, progress, notifications."""

APP_ID = "disentangle-studio"
"""Name of the menu entry (`make menu`), which lets a desktop match the window with its icon and progress."""
