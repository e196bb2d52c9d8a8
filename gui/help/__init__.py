"""What the window explains."""

FIRST, KEYBOARD = "first-steps", "keyboard"
"""Topics that the window itself asks for."""
