"""The command palette: every action, run, preset, help page and setting by a few letters."""
