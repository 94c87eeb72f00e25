"""The command `solvable`, which is `python -m solvable.derivations`, too.

While modules are imported a signal ends the process as it ends any other, for there is nothing to
tidy up: `bounds.signals_raise` takes over when the command runs, and gives back when it has run.
"""

import signal
import sys


def main() -> int:
    """The exit status of the command."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not in the background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli import entry_point

    return entry_point()


if __name__ == "__main__":
    sys.exit(main())
