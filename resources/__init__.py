"""Icons, presets and other data that come with the application."""
