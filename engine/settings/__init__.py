"""Run settings as checked values, presets, and the folders that the user chose."""
