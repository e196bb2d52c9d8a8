"""Entry point of Disentangle Studio: opens the window, or runs a command of the same engine headless."""

import multiprocessing
import os
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run the application; return its exit status."""
    multiprocessing.freeze_support()
    # Waiting threads must not spin: beside the window or another program, spinning makes a training step many times
    # slower. OpenMP reads this when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from engine.cli.streams import lasting_streams

    with lasting_streams():
        return _run(sys.argv[1:] if arguments is None else arguments)


def _run(arguments: list[str]) -> int:
    """Execute the command line and return the exit status."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    from engine.cli.main import parse, run_command
    from engine.system.memory import keep_freed_memory

    keep_freed_memory()
    parsed = parse(arguments)
    if parsed.command:
        return run_command(parsed)

    from gui.desktop.screen import find_problem, no_screen

    if parsed.selftest:
        return _selftest()
    if no_screen():
        print(
            "There is no screen here, so instead of the window this runs the demo: the two-minute preset, end to end.",
            file=sys.stderr,
        )
        return run_command(parse(["--runs", str(parsed.runs), "demo"]))
    from engine.cli.progress import say as say_in_terminal
    from engine.errors import StudioError
    from gui.desktop.single import InstanceLock

    lock = InstanceLock(parsed.runs)
    try:
        if not lock.acquire():
            return 0
    except StudioError as error:
        say_in_terminal(f"main.py: {error}")
        if getattr(sys, "frozen", False) and not find_problem():  # if started from a menu, stderr is not visible
            from gui.app import say

            say(str(error))
        return 1
    problem = find_problem()
    if problem:
        print(f"main.py: {problem}", file=sys.stderr)
        return 1
    _load_torch_first()
    from gui.app import run_app

    return run_app(parsed.runs, parsed.theme, lock)


def _selftest() -> int:
    """Run the self-test, with or without a screen."""
    from gui.desktop.screen import find_problem, no_screen

    if no_screen():
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    problem = find_problem()
    if problem:
        print(f"main.py: {problem}", file=sys.stderr)
        return 1
    _load_torch_first()
    from gui.window.selftest import run_selftest

    return run_selftest()


def _load_torch_first() -> None:
    """Load torch first on Windows, where its libraries must be loaded before Qt's."""
    if sys.platform == "win32":
        import torch  # noqa: F401


if __name__ == "__main__":
    sys.exit(main())
