"""What can go wrong, as exceptions whose message is a sentence for a person.

Each is raised where the cause is known and shown as it is, in the window or on stderr: what happened,
what was kept, and what to do.
"""


class StudioError(Exception):
    """The base of every error that this application explains to its user."""


class ConfigError(StudioError):
    """A setting is unknown, of the wrong type or out of its range."""


class DataError(StudioError):
    """A data set is missing, damaged or not what it claims to be."""


class DataChangedError(DataError):
    """The data set is not the one that a run was trained on, and nobody has accepted that."""


class RunError(StudioError):
    """A run folder cannot be created, read or written."""


class RunLockedError(RunError):
    """Another process or window is writing the run."""


class CheckpointError(RunError):
    """A checkpoint is missing, damaged or does not fit its run."""


class OutputError(StudioError):
    """Standard output does not take what a command has to say; `errno` is the system's number for why."""

    def __init__(self, message: str, errno: int) -> None:
        super().__init__(message)
        self.errno = errno


class PluginError(StudioError):
    """A plug-in cannot be used, or its code raised, crashed or did not answer; the message names it."""


class PluginMissingError(PluginError):
    """What a run needs comes from a plug-in that is not loaded."""


class TrainingDivergedError(StudioError):
    """The loss became NaN or infinite."""
