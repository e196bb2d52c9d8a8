"""The data sets that come with the application, in the order in which they are listed."""

import math
from pathlib import Path

from engine.data import digits, dsprites, dsprites_variants, mnist, own, room, xy_squares
from engine.data.cache import prepared_folder
from engine.data.cars3d import cars3d
from engine.data.cars3d import factors as cars3d_factors
from engine.data.celeba import celeba
from engine.data.dataset import Factors
from engine.data.entry import CLASSES, DRAWN, OWN, PUBLISHED, Entry
from engine.data.mpi3d import FEWER as mpi3d_fewer
from engine.data.mpi3d import SIZES as mpi3d_sizes
from engine.data.mpi3d import factors as mpi3d_factors
from engine.data.mpi3d import mpi3d
from engine.data.originals import Original
from engine.data.shapes3d import SHAPES, shapes3d
from engine.data.shapes3d import factors as shapes3d_factors
from engine.data.small_norb import factors as norb_factors
from engine.data.small_norb import small_norb, without_instance
from engine.settings.run_config import DATASET_TITLES


def _mnist_entry(name: str, description: str, licence: str, citation: str) -> Entry:
    def state() -> str:
        return "ready" if mnist.is_downloaded(name) else "needs download (or choose a folder)"

    return Entry(
        name=name,
        title=DATASET_TITLES[name],
        description=description,
        images=70_000,
        training_images=60_000,
        shape=(28, 28, 1),
        classes=", ".join(mnist.FAMILY[name].classes),
        licence=licence,
        citation=citation,
        path_kind="folder",
        group=CLASSES,
        load=lambda path, size: mnist.load(name, path),
        prepare=lambda path, size: mnist.prepare(name, path),
        state=state,
        cached=lambda: [path for path in [mnist.cached_folder(name)] if any(path.glob("*"))],
        holds=lambda path: mnist.recognise(path) == name,
        check=lambda path: mnist.check(name, path),
        downloads=lambda: not mnist.is_downloaded(name),
    )


def _own_entry(name: str, description: str, path_kind: str) -> Entry:
    return Entry(
        name=name,
        title=DATASET_TITLES[name],
        description=description,
        images=None,
        training_images=None,
        shape=(),
        classes="from the data",
        factors="from the data" if name == "arrays" else "",
        licence="yours",
        path_kind=path_kind,
        own=True,
        needs_path=True,
        group=OWN,
        load=own.load,
        prepare=own.prepare,
        state=lambda: f"choose a {path_kind}",
        cached=lambda: [*prepared_folder().glob(f"own-{name}-*")],
        holds=Path.is_dir if path_kind == "folder" else Path.is_file,
        check=own.check,
    )


def _listed(factors: Factors) -> str:
    return ", ".join(f"{name} ({size})" for name, size in zip(factors.names, factors.sizes, strict=True))


def _original_entry(
    original: Original,
    description: str,
    images: int,
    licence: str,
    citation: str,
    factors: Factors,
    *,
    training_images: int | None = None,
    channels: int = 3,
    classes: str = "",
    file_types: str = "",
    full: bool = True,
) -> Entry:
    """The entry of a published data set; `full` if it has an image of every combination of its factors."""
    return Entry(
        name=original.name,
        title=original.title,
        description=description,
        images=images,
        training_images=training_images or images,
        shape=(64, 64, channels),
        classes=", ".join(factors.value_names.get(classes, ())),
        factors=_listed(factors),
        grid=(lambda: factors) if full else None,
        licence=licence,
        citation=citation,
        path_kind="folder or file",
        file_types=file_types,
        needs_path=not original.remotes,
        group=PUBLISHED,
        load=lambda path, size: original.load(path),
        prepare=lambda path, size: original.prepare(path),
        state=lambda: original.state,
        cached=original.cached,
        holds=original.holds,
        check=original.check,
        downloads=lambda: not original.downloaded,
    )


def _mpi3d_entry(kind: str, description: str, sizes: tuple[int, ...]) -> Entry:
    return _original_entry(
        mpi3d(kind),
        f"{description} Its prepared copy takes {math.prod(sizes) * 64 * 64 * 3 / 1e9:.1f} GB.",
        math.prod(sizes),
        "CC BY 4.0",
        "M. W. Gondal, M. Wüthrich, Đ. Miladinović, F. Locatello, M. Breidt, V. Volchkov, J. Akpo, O. Bachem, "
        "B. Schölkopf, S. Bauer. On the transfer of inductive bias from simulation to the real world: a new "
        "disentanglement dataset. NeurIPS 2019.",
        mpi3d_factors(kind, sizes),
        classes="object shape",
        file_types="NumPy arrays (*.npz)",
    )


def _norb_entry(*, instances: bool, description: str) -> Entry:
    original = small_norb(instances=instances)
    known = norb_factors()
    images = math.prod(known.sizes)
    return _original_entry(
        original,
        f"{description} The download has 263 MB.",
        images,
        "free for research, with citation",
        "Y. LeCun, F. J. Huang, L. Bottou. Learning methods for generic object recognition with invariance to pose "
        "and lighting. CVPR 2004.",
        known if instances else without_instance(known),
        training_images=images // 2 if instances else images,
        channels=1,
        classes="category",
        file_types="Binary matrices (*.mat.gz *.mat)",
        full=instances,
    )


def _variant_entry(name: str, description: str) -> Entry:
    return Entry(
        name=name,
        title=DATASET_TITLES[name],
        description=description,
        images=dsprites.COUNT,
        training_images=dsprites.COUNT,
        shape=(64, 64, 3),
        classes=", ".join(dsprites.SHAPES),
        factors=_listed(dsprites.factors()),
        grid=dsprites.factors,
        licence="ours; the shapes are those of dSprites, Apache 2.0",
        citation=_LOCATELLO,
        group=DRAWN,
        load=lambda path, size: dsprites_variants.load(name, DATASET_TITLES[name]),
        prepare=lambda path, size: dsprites.prepare(),
        state=lambda: "ready" if dsprites.is_drawn() else "needs preparing: dSprites, 377 MB",
    )


_CELEBA = celeba()
_LOCATELLO = (
    "After F. Locatello, S. Bauer, M. Lucic, G. Rätsch, S. Gelly, B. Schölkopf, O. Bachem. Challenging common "
    "assumptions in the unsupervised learning of disentangled representations. ICML 2019."
)

OURS = (
    Entry(
        name="dsprites",
        title=DATASET_TITLES["dsprites"],
        description="2D shapes that vary in shape, scale, orientation and position; drawn on this machine, or "
        "read from a file of originals.",
        images=dsprites.COUNT,
        training_images=dsprites.COUNT,
        shape=(64, 64, 1),
        classes=", ".join(dsprites.SHAPES),
        factors=_listed(dsprites.factors()),
        grid=dsprites.factors,
        licence="Apache 2.0",
        citation="L. Matthey, I. Higgins, D. Hassabis, A. Lerchner. dSprites: Disentanglement testing sprites "
        "dataset. 2017.",
        path_kind="folder or file",
        file_types="dSprites (*.npz *.h5 *.hdf5)",
        group=DRAWN,
        load=lambda path, size: dsprites.load(path),
        prepare=lambda path, size: dsprites.prepare(path),
        state=lambda: "ready" if dsprites.is_drawn() else "needs preparing: drawn in seconds, 377 MB",
        cached=dsprites.cached_files,
        holds=dsprites.recognise,
        check=dsprites.check,
    ),
    _variant_entry("dsprites-colour", "dSprites in which each shape has a random colour."),
    _variant_entry("dsprites-noise", "dSprites on random noise in colour."),
    _variant_entry(
        "dsprites-textures",
        "dSprites on random cuts of a texture, which they show inverted. The texture is ours, where the field uses a "
        "painting (Scream-dSprites): results are not comparable.",
    ),
    Entry(
        name="xy-squares",
        title=DATASET_TITLES["xy-squares"],
        description="Three squares on a grid. It is hard on purpose: pixel by pixel, neighbouring positions differ as "
        "much as distant ones.",
        images=xy_squares.COUNT,
        training_images=xy_squares.COUNT,
        shape=(64, 64, 3),
        factors=_listed(xy_squares.factors()),
        grid=xy_squares.factors,
        licence="MIT",
        citation="N. Michlo, R. Klein, S. James. Overlooked implications of the reconstruction loss for VAE "
        "disentanglement. IJCAI 2023.",
        group=DRAWN,
        load=lambda path, size: xy_squares.load(),
    ),
    Entry(
        name="room",
        title=DATASET_TITLES["room"],
        description="A coloured shape in a coloured room, with the six factors of Shapes3D, to try colour without a "
        "download. It is not Shapes3D: results are not comparable.",
        images=room.COUNT,
        training_images=room.COUNT,
        shape=(64, 64, 3),
        classes=", ".join(SHAPES),
        factors=_listed(shapes3d_factors()),
        grid=shapes3d_factors,
        licence="ours",
        group=DRAWN,
        load=lambda path, size: room.load(),
        prepare=lambda path, size: room.prepare(),
        state=lambda: "ready" if room.is_drawn() else "needs preparing: drawn in seconds, 8 MB",
        cached=room.cached_files,
    ),
    _original_entry(
        shapes3d(),
        "A coloured shape in a coloured room. The download has 268 MB, its prepared copy takes 5.9 GB.",
        math.prod(shapes3d_factors().sizes),
        "Apache 2.0",
        "C. Burgess, H. Kim. 3D Shapes dataset. 2018.",
        shapes3d_factors(),
        classes="shape",
        file_types="HDF5 (*.h5 *.hdf5)",
    ),
    _mpi3d_entry("toy", "A robot arm that holds an object, rendered simply.", mpi3d_sizes),
    _mpi3d_entry("realistic", "A robot arm that holds an object, rendered realistically.", mpi3d_sizes),
    _mpi3d_entry("real", "A robot arm that holds an object: photographs.", mpi3d_sizes),
    _mpi3d_entry("complex", "A robot arm that holds an everyday object: photographs.", mpi3d_fewer),
    _norb_entry(
        instances=False,
        description="Toys of five categories under several lights and angles; any of a category's ten toys is drawn, "
        "and none of them is a factor.",
    ),
    _norb_entry(
        instances=True,
        description="Toys of five categories under several lights and angles; the toy is a factor, and the test images "
        "show toys that the training images do not.",
    ),
    _original_entry(
        cars3d(),
        "Models of cars from all sides.",
        math.prod(cars3d_factors().sizes),
        "not stated by its authors",
        "S. Reed, Y. Zhang, Y. Zhang, H. Lee. Deep visual analogy-making. NIPS 2015.",
        cars3d_factors(),
        file_types="Archives (*.tar.gz *.tgz)",
    ),
    Entry(
        name="celeba",
        title=DATASET_TITLES["celeba"],
        description="Faces with 40 attributes, each a factor of two values; they depend on each other. Choose the "
        "folder with img_align_celeba (or its zip file) and the lists of attributes and parts.",
        images=202_599,
        training_images=162_770,
        shape=(64, 64, 3),
        factors="40 attributes (2 each)",
        licence="for research without commercial use",
        citation="Z. Liu, P. Luo, X. Wang, X. Tang. Deep learning face attributes in the wild. ICCV 2015.",
        path_kind="folder or file",
        file_types="Zip files (*.zip)",
        needs_path=True,
        group=PUBLISHED,
        load=lambda path, size: _CELEBA.load(path),
        prepare=lambda path, size: _CELEBA.prepare(path),
        state=lambda: _CELEBA.state,
        cached=_CELEBA.cached,
        holds=_CELEBA.holds,
        check=_CELEBA.check,
    ),
    _mnist_entry(
        "mnist",
        "Handwritten digits.",
        "CC BY-SA 3.0",
        "Y. LeCun, C. Cortes, C. Burges. The MNIST database of handwritten digits. 1998.",
    ),
    _mnist_entry(
        "fashion-mnist",
        "Pictures of clothes.",
        "MIT",
        "H. Xiao, K. Rasul, R. Vollgraf. Fashion-MNIST: a novel image dataset for benchmarking machine learning "
        "algorithms. arXiv:1708.07747, 2017.",
    ),
    _mnist_entry(
        "kmnist",
        "Handwritten cursive Japanese characters.",
        "CC BY-SA 4.0",
        "T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto, D. Ha. Deep learning for classical "
        "Japanese literature. arXiv:1812.01718, 2018.",
    ),
    Entry(
        name="digits",
        title=DATASET_TITLES["digits"],
        description="Small handwritten digits, enlarged from 8 x 8; trains in seconds, so good for first steps.",
        images=digits.COUNT,
        training_images=digits.COUNT - digits.COUNT // 10,
        shape=(32, 32, 1),
        classes=", ".join("0123456789"),
        licence="CC BY 4.0",
        citation="E. Alpaydin, C. Kaynak. Optical recognition of handwritten digits. UCI Machine Learning "
        "Repository, 1998.",
        group=CLASSES,
        load=lambda path, size: digits.load(),
    ),
    _own_entry(
        "images",
        "A folder of pictures, cut to squares and resized; subfolders are classes, train, val and test a split.",
        "folder",
    ),
    _own_entry(
        "arrays",
        "An .npz file with images and, optionally, labels, factors (n x k whole numbers) and factor_names.",
        "file",
    ),
)
