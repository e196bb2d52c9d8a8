"""The command line: the same jobs as in the window, with a progress bar; one file per command."""
