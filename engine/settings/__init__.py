"""What is trained and how, in words and checked values: run settings, presets, chosen folders."""
