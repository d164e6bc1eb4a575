"""The process manager: supervisor, with our words for what happens and our signals.

Why supervisor: ``docs/decisions/0001-process-manager.md``.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

from supervisor import events
from supervisor.medusa.asyncore_25 import ExitNow
from supervisor.options import ServerOptions
from supervisor.states import SupervisorStates
from supervisor.supervisord import Supervisor

PATIENCE = 15.0  # seconds the page may take before everything else starts beside it
MAY_FAIL = {"demo", "announce"}  # the console is whole without them
QUIET = {"announce"}  # its lines are for people, not a process's log


class Terminal:
    """Standard output that never holds us up.

    A reader that stops reading (Ctrl-S, a stuck pipe) would otherwise block the manager, then
    every process that logs. What it does not take is left out, and counted.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._left_out = 0
        self.closed = False

    def line(self, text: str) -> None:
        if self.closed:
            return
        data = text.encode() + b"\n"
        if self._left_out:
            data = b"... %d lines left out: nobody read them\n" % self._left_out + data
        # PIPE_BUF bytes never block a pipe that select calls writable.
        for start in range(0, len(data), select.PIPE_BUF):
            patience = 0.0 if self._left_out else 0.2
            if not select.select([], [self._handle], [], patience)[1]:
                self._left_out += 1
                return
            os.write(self._handle, data[start : start + select.PIPE_BUF])
        self._left_out = 0


class Manager(Supervisor):  # type: ignore[misc]  # supervisor has no types
    """Supervisor in the foreground, that ends on SIGHUP too and tells on the terminal."""

    def __init__(self, options: ServerOptions) -> None:
        super().__init__(options)
        self._hangup_counts = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN  # not under nohup
        self.returncode = 0
        self._terminal = Terminal(sys.stdout.fileno())
        self._started = time.monotonic()
        self._halves: dict[str, bytes] = {}

    def runforever(self) -> None:
        events.subscribe(events.ProcessLogEvent, self._on_output)
        events.subscribe(events.ProcessStateExitedEvent, self._on_exit)
        events.subscribe(events.ProcessStateBackoffEvent, self._on_exit)
        events.subscribe(events.ProcessStateFatalEvent, self._on_given_up)
        events.subscribe(events.Tick5Event, self._on_tick)
        for group in sorted(self.process_groups.values()):
            group.transition()  # start now: the loop would first wait a second for output
        super().runforever()

    def handle_signal(self) -> None:
        received = self.options.get_signal()
        if received == signal.SIGHUP and not self._hangup_counts:
            return
        # A closed terminal must end the console; supervisor would start it afresh.
        if received in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            self._stop(f"Stopping ({signal.Signals(received).name}) …")

    def _stop(self, words: str) -> None:
        if self.options.mood == SupervisorStates.RUNNING:
            self._say(words)
            self.options.mood = SupervisorStates.SHUTDOWN

    def _on_output(self, event: Any) -> None:
        name = event.process.config.name
        *lines, rest = (self._halves.get(name, b"") + event.data).split(b"\n")
        self._halves[name] = rest[-65536:]
        for line in lines:
            text = line.decode("utf-8", "replace")
            self._say(text if name in QUIET else f"{name:>6} | {text}")

    def _on_exit(self, event: Any) -> None:
        name = event.process.config.name
        if name == "announce":  # the page has answered
            self._start_the_rest()
        elif self.options.mood == SupervisorStates.RUNNING:
            self._say(f"{name:>6} | ended unexpectedly; starting it again")

    def _on_tick(self, event: Any) -> None:
        if time.monotonic() - self._started > PATIENCE:
            self._start_the_rest()

    def _start_the_rest(self) -> None:
        """Start what leaves the processors to the page at first; each once, then it is kept up."""
        if self.options.mood != SupervisorStates.RUNNING:
            return
        for group in self.process_groups.values():
            for process in group.processes.values():
                if not process.laststart:
                    process.spawn()

    def _on_given_up(self, event: Any) -> None:
        name = event.process.config.name
        if name in MAY_FAIL:
            self._say(f"{name:>6} | ended again and again; it is not started any more")
            return
        self.returncode = 1
        self._stop(f"{name} ended again and again (see the lines above). Stopping everything.")

    def _say(self, text: str) -> None:
        try:
            self._terminal.line(text)
        except OSError:
            # Whoever read our output is gone (`| head`, a closed terminal): end in order.
            self._terminal.closed = True
            self.options.mood = SupervisorStates.SHUTDOWN


def manage(configuration: Path) -> int:
    """Run everything ``configuration`` describes until a signal; the exit code."""
    options = ServerOptions()
    options.realize(["-c", str(configuration)])
    options.first, options.test = True, False
    manager = Manager(options)
    try:
        manager.main()
    except ExitNow:
        pass  # how supervisor's loop says that everything has stopped
    finally:
        options.close_logger()
    return manager.returncode
