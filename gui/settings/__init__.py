"""The user's preferences: the settings dialog, and the confirmations it can turn off."""
