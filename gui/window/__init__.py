"""The main window: its frame, menu, keys, messages, and what happens when it opens and closes."""
