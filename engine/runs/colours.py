"""The colours of runs and latents, the same in the window and on paper."""

PALETTE = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#B8860B", "#56B4E9", "#7A5195", "#6E6E6E")
"""Colours that colour-blind people tell apart, after Okabe & Ito (2008), the yellow darkened for white paper."""
