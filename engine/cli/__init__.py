"""The command line: the same jobs as the window's, with a progress bar; one file a command."""
