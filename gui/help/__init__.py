"""What the window explains."""
