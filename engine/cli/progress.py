"""Jobs in the terminal, with a progress bar on stderr."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from tqdm import tqdm

from engine.jobs.control import Control, drive
from engine.jobs.events import Event, Job, Progress, StepMetrics, TrainingStarted, Unanswered, Warned
from engine.jobs.processes import termination_signals
from engine.system.plain_text import one_line, without_invisible


def say(text: str) -> None:
    """Print a message to stderr, without control characters: names and reasons come from files."""
    print(without_invisible(text), file=sys.stderr)


def answer(text: object, end: str = "\n") -> None:
    """Print a result to stdout, unchanged for other programs, without control characters for a terminal, like `ls`."""
    print(without_invisible(str(text)) if sys.stdout.isatty() else text, end=end)


def shown(job: Job, control: Control) -> Iterator[Event]:
    """Drive a job, showing its progress and warnings on stderr."""
    bar: tqdm[NoReturn] | None = None
    what, hangs = "", False
    try:
        for event in drive(job, control):
            if isinstance(event, TrainingStarted) and event.step:
                say(f"Resuming at step {event.step:,} of {event.total:,}.")
            if isinstance(event, Warned):
                tqdm.write(without_invisible(f"Note: {event.message}"), file=sys.stderr)
            if isinstance(event, Unanswered):
                hangs = bool(event.message)
                if hangs and not control.unattended:
                    tqdm.write(without_invisible(f"{event.message} Ctrl-C ends it."), file=sys.stderr)
            if hangs and control.unattended:
                control.end()
                hangs = False
            if isinstance(event, Progress):
                if bar is None or event.what != what:
                    if bar is not None:
                        bar.close()
                    what = event.what
                    bar = tqdm(
                        total=event.total,
                        initial=max(0, event.done - 1),
                        desc=one_line(what),
                        unit=f" {event.unit}",
                        mininterval=0.5,
                        dynamic_ncols=True,
                        leave=False,
                        disable=None,
                    )
                bar.update(event.done - bar.n)
            elif isinstance(event, StepMetrics) and bar is not None:
                known = {
                    "reconstruction": (event.reconstruction, ",.1f"),
                    "KL": (event.kl, ",.2f"),
                    "C": (event.capacity, ".2f"),
                }
                numbers = {name: f"{value:{form}}" for name, (value, form) in known.items() if value is not None}
                numbers = numbers or {"loss": f"{event.loss:,.2f}"}
                bar.set_postfix(numbers, refresh=False)
            yield event
    finally:
        if bar is not None:
            bar.close()


@contextmanager
def stop_on_interrupt(*, once: bool = True) -> Iterator[Control]:
    """Turn the first Ctrl-C, termination signal or loss of the terminal into a stop that saves the run.

    A second Ctrl-C ends the process at once, unless signals are turned into a stop more than `once`, because another
    program passes each on again. After any other signal, what does not answer is ended.
    """
    control = Control()

    def ask(number: int, frame: object) -> None:
        if once:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        control.unattended |= number != signal.SIGINT
        control.stop()

    before = {number: signal.signal(number, ask) for number in termination_signals()}
    try:
        yield control
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
