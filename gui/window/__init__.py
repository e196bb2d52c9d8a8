"""The main window: header, menu, keyboard shortcuts, messages, opening and closing."""
