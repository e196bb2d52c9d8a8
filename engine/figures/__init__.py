"""Figures for papers (PNG, SVG, PDF), drawn without a screen."""
