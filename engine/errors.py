"""Exceptions whose messages are written for the user.

Each is raised where the cause is known and shown unchanged, in the window or on stderr. Its message says what happened,
what was kept, and what to do.
"""


class StudioError(Exception):
    """Base class of the errors that this application explains to its user."""


class ConfigError(StudioError):
    """A setting is unknown, has the wrong type or is out of range."""


class DataError(StudioError):
    """A data set is missing, damaged or not what it claims to be."""


class NotPreparedError(DataError):
    """A data set has not been prepared, or its prepared copy was damaged and removed."""


class NoImagesError(DataError):
    """Images are needed of which only codes, labels or factors are known."""


class ChangedError(StudioError):
    """A data set or plug-in differs from the one that a run was trained with, and the user has not accepted that."""


class RunError(StudioError):
    """A run folder cannot be created, read or written."""


class RunLockedError(RunError):
    """Another process or window is writing the run."""


class CheckpointError(RunError):
    """A checkpoint is missing or damaged, or does not fit its run."""


class OutputError(StudioError):
    """Standard output cannot be written to; `errno` is the system's error number."""

    def __init__(self, message: str, errno: int) -> None:
        super().__init__(message)
        self.errno = errno


class PluginError(StudioError):
    """A plug-in cannot be used, or its code raised, crashed or did not answer; the message names it."""


class PluginMissingError(PluginError):
    """What a run needs comes from a plug-in that is not loaded."""


class TrainingDivergedError(StudioError):
    """The loss became NaN or infinite."""
