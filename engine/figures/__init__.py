"""Arrays as figures for papers (PNG, SVG, PDF), drawn without a screen."""
