"""What a person prefers: the settings dialog, and the questions that it can silence."""
