"""The command `plugins`, and the plug-ins that every command loads."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.progress import answer, say
from engine.errors import ConfigError, PluginError
from engine.system.program import COMMAND

if TYPE_CHECKING:
    from engine.plugins.loading import Listed, Plugins

TRUST = "A plug-in is a program: it can do everything that you can do on this machine."


def add_command(commands: "argparse._SubParsersAction[Any]") -> argparse.ArgumentParser:
    """Add the command, and return it."""
    plugins: argparse.ArgumentParser = commands.add_parser(
        "plugins",
        help="list, add, allow, refuse or remove plug-ins",
        description="List plug-ins with what they provide, or why they are not loaded. Add a file to the plug-in "
        f"folder, allow or refuse its current version, or remove it. {TRUST} A changed file is not loaded until it is "
        "allowed again.",
    )
    plugins.add_argument("action", nargs="?", choices=["list", "add", "allow", "refuse", "remove"], default="list")
    plugins.add_argument("name", nargs="?", metavar="NAME|FILE", help="a plug-in's name or file")
    plugins.add_argument("--replace", action="store_true", help="add a file in place of one of the same name")
    plugins.set_defaults(do=_plugins)
    return plugins


def _of_this_process() -> "Plugins":
    from engine.plugins.loading import plugins_of_this_user

    return plugins_of_this_user()


def load_plugins() -> bool:
    """Load the plug-ins that the user has allowed, and those of installed packages; return whether there are any."""
    plugins = _of_this_process()
    plugins.load()
    return any(listed.name for listed in plugins.listed())


def note_waiting() -> None:
    """Say which plug-ins are not loaded, and what to do, in a line each on stderr."""
    plugins = _of_this_process()
    if plugins.problem:
        say(f"Note: {plugins.problem}")
    waiting = [listed for listed in plugins.listed() if listed.standing.open]
    if waiting:
        files = ", ".join(listed.title for listed in waiting)
        one = len(waiting) == 1
        what = (
            f"The plug-in {files} is not loaded until you allow it"
            if one
            else (f"The plug-ins {files} are not loaded until you allow them")
        )
        say(f"Note: {what}: {COMMAND} plugins allow {waiting[0].key if one else 'NAME'}")
    for listed in plugins.listed():
        if listed.standing == "not loaded":
            say(f"Note: {listed.problem}")


def _plugins(arguments: argparse.Namespace) -> int:
    from engine.plugins.loading import check_file

    plugins, action = _of_this_process(), arguments.action
    if arguments.replace and action != "add":
        raise ConfigError(f"plugins {action} takes no --replace.")
    if action == "list":
        if arguments.name:
            raise ConfigError("plugins list takes no name.")
        return _list(plugins)
    if not arguments.name:
        what = "a file" if action == "add" else "a name"
        raise ConfigError(f"plugins {action} needs {what}, e.g. plugins {action} sparse_vae.py.")
    if action == "add":
        file = check_file(Path(arguments.name).expanduser())
        listed = plugins.add(file, replace_existing=arguments.replace)
        if listed.standing in ("loaded", "allowed"):
            say(f"{listed.key} was added. It is allowed already.")
            answer(listed.place)
            return 0
        say(f"{listed.key} was added. It is not loaded until you allow it: {COMMAND} plugins allow {listed.key}")
        say(TRUST)
        answer(listed.place)
        return 0
    listed = plugins.find(arguments.name)
    if action == "allow":
        return _allow(plugins, listed)
    if action == "refuse":
        plugins.refuse(listed)
        say(f"{listed.key} was refused and will not be loaded.")
    else:
        plugins.remove(listed)
        say(f"{listed.key} was removed.")
    return 0


def _list(plugins: "Plugins") -> int:
    every = plugins.listed()
    for listed in every:
        answer(f"{listed.title:<28} {listed.standing:<11} {listed.problem or _words(listed)}")
    if plugins.problem:
        say(plugins.problem)
    if not every:
        say(f"There are no plug-ins. Put a file into {plugins.folder}, or add one: {COMMAND} plugins add FILE")
    return 0


def _words(listed: "Listed") -> str:
    provided = [f"{kind} {name}" for kind, names in listed.provides.items() for name in names]
    return f"{', '.join(provided)}  ({listed.place})" if provided else f"({listed.place})"


def _allow(plugins: "Plugins", listed: "Listed") -> int:
    plugins.allow(listed)
    plugins.load()
    now = plugins.find(listed.key)
    if now.standing != "loaded":
        raise PluginError(now.problem or f"{now.key} has changed in the meantime; review it before you allow it.")
    answer(f"{now.title} is loaded: {_words(now)}")
    return 0
