"""The help, and the About dialog."""

FIRST, KEYBOARD = "first-steps", "keyboard"
"""Topics that the window opens itself."""
