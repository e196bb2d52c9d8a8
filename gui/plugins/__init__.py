"""Plug-ins in the window: the watched folder, the questions, and the page in the settings."""
