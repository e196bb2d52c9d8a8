"""Plug-ins in the window: the folder that is watched, the questions, and the page in the settings."""
