"""Methods, networks, metrics and data sets of the user's own: what a plug-in is, and how it takes its place."""
