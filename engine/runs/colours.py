"""Colours of runs, latents and classes, the same in the window and in figures."""

PALETTE = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#B8860B", "#56B4E9", "#7A5195", "#6E6E6E")
"""Colours that colour-blind people can distinguish, after Okabe & Ito (2008); the yellow is darker, for white paper."""

MORE = ("#8C4A2F", "#6B8E23", "#C2185B", "#2F4F8F")
"""Further colours, for classes, of which there are often ten."""

CLASSES = PALETTE + MORE
"""Colours of classes; more than twelve classes share them."""
