"""What the desktop around the window is told and asked: one window a folder, no sleep, progress, notifications."""

APP_ID = "disentangle-studio"
"""The name of the menu entry (`make menu`), by which a desktop knows whose window, progress and icon it shows."""
