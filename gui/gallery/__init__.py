"""The gallery: trained models as cards that move under the pointer, and the tour."""
