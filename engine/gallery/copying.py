"""Copying a model of the gallery to the user's runs, where it is an ordinary run that can be resumed."""

import json
import shutil
from pathlib import Path

from engine.errors import RunError
from engine.evaluation.evaluate import key_of_weights
from engine.gallery.models import CODES, GALLERY, STRIP, model_folders
from engine.runs.checkpoints import load_weights, weights_bytes
from engine.runs.kept_weights import WEIGHTS
from engine.runs.packed_weights import LEFT_OUT
from engine.runs.run import Run, colours_used, new_folder, rarest_colour
from engine.runs.shipped import GALLERY_FILE
from engine.settings.folders import with_remembered_data
from engine.system.files import write_bytes, write_json

OF_THE_GALLERY = (GALLERY_FILE, STRIP, CODES)


def copy_model(name: str, runs: Path, gallery: Path = GALLERY) -> Run:
    """Copy the model in the folder `name` of the gallery to the runs folder, and return the new run.

    Its weights are unpacked; it has no optimiser state, so that resuming it starts Adam afresh, as the run then says.
    Raises RunError if there is no such model, it is damaged, or the copy cannot be written.
    """
    known = {folder.name: folder for folder in model_folders(gallery)}
    if name not in known:
        raise RunError(f"The gallery has no model {name!r}. It has: {', '.join(known) or 'none'}.")
    source = Run.open(known[name])
    weights = load_weights(source.checkpoint_folder)  # damaged ones are found before anything is written
    try:
        runs.mkdir(parents=True, exist_ok=True)
        colour = rarest_colour(colours_used(runs))
        place = new_folder(runs, name)
        shutil.copytree(source.path, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*OF_THE_GALLERY))
        metadata = {"step": str(weights.step), "trainer": weights.trainer, LEFT_OUT: json.dumps(list(weights.left_out))}
        write_bytes(place / "checkpoint" / WEIGHTS, weights_bytes(weights.tensors, metadata))
        config = json.loads((place / "config.json").read_text(encoding="utf-8"))
        folder = with_remembered_data(source.config).data_folder
        about = {"data_folder": None if folder is None else str(folder), "bare_step": weights.step}
        write_json(place / "config.json", config | about)
        copy = Run.open(place)
        copy.write_marks(source.marks() | {"colour": colour, "name": f"{source.name} (copy)"})
        if evaluation := source.evaluation():
            copy.write_evaluation(evaluation | {"checkpoint": key_of_weights(copy), "run": str(place)})
    except OSError as error:
        raise RunError(f"The model cannot be copied to {runs}: {error.strerror or error}.") from None
    return copy
