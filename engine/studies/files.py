"""Study files: TOML with title, about, seeds, metrics, [settings], [quick] and [[methods]].

Built-in ones are in resources/studies, the user's own in the application's configuration folder or anywhere.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.errors import ConfigError
from engine.evaluation.catalogue import COMPARED, METRICS
from engine.runs.differences import experiment_settings
from engine.settings.folders import with_remembered_data
from engine.settings.run_config import FIRST_SCHEMA, RunConfig, migrated, over
from engine.studies.study import Cell, Method, Study
from engine.system.paths import RESOURCES, studies_folder
from engine.system.plain_text import one_line
from engine.system.reading import DamagedError, read_toml, reason_of

KEYS = ("schema", "title", "about", "seeds", "metrics", "settings", "quick", "methods")
MAX_SEEDS = 1000
MAX_RUNS = 10_000

ELSEWHERE = {
    "seed": "list the seeds at the top, e.g. seeds = [0, 1, 2]",
    "device": "a study is independent of the machine; choose the device with --device when running it",
    "threads": "a study is independent of the machine; choose the threads with --threads when running it",
}
"""Settings that a study file must not contain, and what to use instead."""


def load_study(
    name: str | Path, quick: bool = False, seeds: int | None = None, *, data_folder: Path | None = None
) -> Study:
    """Read a study, given as a file or as the name of a built-in or own one.

    With `quick`, the file's [quick] settings replace those of [settings]. `seeds` is the number of seeds, counted from
    0. `data_folder` replaces the folder in the file or the remembered folder of the data set. Raises ConfigError, a
    sentence with file and key.
    """
    path = _find(name)
    try:
        values = read_toml(path)
    except (OSError, DamagedError) as error:
        raise ConfigError(f"{path} {reason_of(error)}.") from None
    try:
        return _study(path, values, quick, seeds, data_folder)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def study_of(path: Path, values: dict[str, Any], quick: bool = False) -> Study:
    """Return the study that a file with these contents at `path` would be. Raises ConfigError, without the path."""
    return _study(path, values, quick, None, None)


def shipped_studies() -> list[Study]:
    """Return the studies that come with the application, at full length: the report's tables first, then by name."""
    studies = [load_study(path) for path in _in_folder(RESOURCES / "studies")]
    return sorted(studies, key=lambda study: not study.name.startswith("table-"))


def own_studies() -> list[Study]:
    """Return the user's studies, sorted by name, without files that cannot be read."""
    return [study for study in map(_load_own, _in_folder(studies_folder())) if isinstance(study, Study)]


def delete_study(study: Study) -> None:
    """Remove the file of one of the user's studies; its runs stay. Raises ConfigError."""
    try:
        study.path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{study.path} cannot be removed: {error.strerror or error}.") from None


def unreadable_studies() -> dict[str, str]:
    """Return why `own_studies` leaves files out: a sentence for each, by file name."""
    found = ((path.name, _load_own(path)) for path in _in_folder(studies_folder()))
    return {name: str(error) for name, error in found if isinstance(error, ConfigError)}


def _load_own(path: Path) -> Study | ConfigError:
    try:
        return load_study(path)
    except ConfigError as error:
        return error


def _in_folder(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.toml"), key=lambda path: path.stem)


def _find(name: str | Path) -> Path:
    folders = (RESOURCES / "studies", studies_folder())
    with suppress(OSError):
        for path in (*(folder / f"{name}.toml" for folder in folders), Path(name).expanduser()):
            if path.is_file():
                return path.absolute()
    known = [path.stem for folder in folders for path in _in_folder(folder)]
    raise ConfigError(f"There is no study {str(name)!r}, neither by name nor as a file. Known: {', '.join(known)}.")


def _study(path: Path, values: dict[str, Any], quick: bool, seeds: int | None, data_folder: Path | None) -> Study:
    _check_keys(values)
    common = _migrated(_settings(values.get("settings", {}), "settings"), values.get("schema", FIRST_SCHEMA))
    replaced = dict(_table(values.get("quick", {}), "quick"))
    chosen = {key: replaced.pop(key, values.get(key)) if quick else values.get(key) for key in ("seeds", "metrics")}
    replaced = {key: value for key, value in replaced.items() if key not in ("seeds", "metrics")}
    _settings(replaced, "quick")
    if quick:
        if not values.get("quick"):
            raise ConfigError("the study has no [quick] settings: it can only be run at full length.")
        common = with_length(common, replaced)
    numbers = _seeds(chosen["seeds"]) if seeds is None else _first(seeds)
    methods = _methods(values["methods"])
    if len(methods) * len(numbers) > MAX_RUNS:
        raise ConfigError(f"the study has {len(methods) * len(numbers):,} runs; at most {MAX_RUNS:,} are allowed.")
    given = {} if data_folder is None else {"data_folder": data_folder.absolute()}
    cells = tuple(
        Cell(method, seed, _config(method, common, given | {"seed": seed}, path.parent))
        for seed in numbers
        for method in methods
    )
    _check_distinct([cell for cell in cells if cell.seed == numbers[0]])
    about = (_text(values, "title"), _text(values, "about"))
    return Study(path.stem, *about, methods, numbers, _metrics(chosen["metrics"]), cells, quick, path)


def _check_keys(values: dict[str, Any]) -> None:
    for key in values:
        if key not in KEYS:
            raise ConfigError(f"{key!r} is not a key of a study; the keys are: {', '.join(KEYS)}.")
    for key in KEYS:
        if key not in values and key not in ("schema", "settings", "quick"):
            raise ConfigError(f"the key {key!r} is missing.")


def _migrated(common: dict[str, Any], schema: object) -> dict[str, Any]:
    """Settings migrated to this version. Raises ConfigError."""
    try:
        return migrated(common, schema)
    except ConfigError as error:
        raise ConfigError(str(error).replace("The settings have", "the study has", 1)) from None


def _text(values: dict[str, Any], key: str) -> str:
    value = values[key]
    words = one_line(value) if isinstance(value, str) else ""
    if not words:
        raise ConfigError(f"{key} is {value!r}; it must be text.")
    return words


def _seeds(value: Any) -> tuple[int, ...]:
    integers = isinstance(value, list) and all(isinstance(seed, int) and not isinstance(seed, bool) for seed in value)
    if not integers or not value or len(set(value)) < len(value) or len(value) > MAX_SEEDS:
        raise ConfigError(f"seeds is {value!r}; it must be a list of different whole numbers, e.g. [0, 1, 2].")
    return tuple(value)


def _first(count: int) -> tuple[int, ...]:
    if not 1 <= count <= MAX_SEEDS:
        raise ConfigError(f"the number of seeds is {count}; it must be from 1 to {MAX_SEEDS:,}.")
    return tuple(range(count))


def _metrics(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ConfigError(f"metrics is {value!r}; it must be a list of names, e.g. ['reconstruction', 'kl'].")
    for name in value:
        if not isinstance(name, str) or name not in METRICS:
            raise ConfigError(f"metrics has {name!r}, which is not a metric. Choose from: {', '.join(METRICS)}.")
        if name in COMPARED:
            raise ConfigError(
                f"metrics has {name!r}, which compares runs. Leave it out; choose the best run by it once runs are "
                f"evaluated: study NAME --select {name}."
            )
    return tuple(dict.fromkeys(value))


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} is {value!r}; it must be a table of settings, [{where}].")
    return value


def _settings(value: Any, where: str) -> dict[str, Any]:
    """Settings of a table, validated so that the message names the table."""
    table = _table(value, where)
    for name, instead in ELSEWHERE.items():
        if name in table:
            raise ConfigError(f"{where}: {name} cannot be set there; {instead}.")
    try:
        RunConfig.parse(table)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    return table


def _methods(value: Any) -> tuple[Method, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(entry, dict) for entry in value):
        raise ConfigError("methods must be tables with a title and settings, each headed [[methods]].")
    methods = []
    for number, entry in enumerate(value, 1):
        settings = _settings({key: v for key, v in entry.items() if key != "title"}, f"methods, number {number}")
        if "title" not in entry:
            raise ConfigError(f"methods, number {number}: the key 'title' is missing.")
        methods.append(Method(_text(entry, "title"), settings))
    titles = [method.title for method in methods]
    for title in titles:
        if titles.count(title) > 1:
            raise ConfigError(f"methods: two have the title {title!r}.")
    return tuple(methods)


def with_length(common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return settings with some replaced; a length in epochs replaces one in steps."""
    if "epochs" in own and "steps" not in own:
        common = {key: value for key, value in common.items() if key != "steps"}
    return over(common, own)


def _config(method: Method, common: dict[str, Any], last: dict[str, Any], folder: Path) -> RunConfig:
    values = over(with_length(common, dict(method.settings)), last)
    if values.get("data_folder"):
        values["data_folder"] = folder / Path(values["data_folder"]).expanduser()  # relative to the study file
    try:
        return with_remembered_data(RunConfig.parse(values))
    except ConfigError as error:
        raise ConfigError(f"method {method.title!r}: {error}") from None


def _check_distinct(cells: list[Cell]) -> None:
    """Reject methods whose runs would be identical."""
    known: dict[tuple[Any, ...], str] = {}
    for cell in cells:
        same = known.setdefault(experiment_settings(cell.config), cell.method.title)
        if same != cell.method.title:
            raise ConfigError(f"methods {same!r} and {cell.method.title!r} have the same settings.")
