"""The name of this program in a terminal: that of the standalone where this is one, else main.py."""

import sys
from pathlib import Path


def name_in_a_terminal() -> str:
    """Return `NAME` for the interpreter or executable that runs this."""
    if not getattr(sys, "frozen", False):
        return "main.py"
    name = Path(sys.executable).stem
    # On Windows only the second program of the standalone prints to a terminal.
    return name if sys.platform != "win32" or name.endswith("-console") else f"{name}-console"


NAME = name_in_a_terminal()
"""For messages and usage."""

COMMAND = f"python {NAME}" if NAME == "main.py" else NAME
"""What precedes a command, in messages that quote one."""
