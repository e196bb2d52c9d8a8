"""Encoder, decoder, and the VAE that joins them."""
