"""The gallery: trained models that come with the application and open without data, training or network.

Each model is an ordinary run folder in resources/gallery, with packed weights, its evaluation, the codes of some images
of its data set, and pre-rendered pictures. `making` makes it; all else only reads.
"""

from engine.gallery.models import GALLERY, Cell, Model, Value, model_folders, read_gallery, read_model

__all__ = ["GALLERY", "Cell", "Model", "Value", "model_folders", "read_gallery", "read_model"]
