"""Run a command that does not outlive the process that started it.

    python tether.py PARENT SIGNAL LOCK command [argument ...]

PARENT is the process id of whoever starts us, "-" for whoever that is. SIGNAL is what the
command gets when PARENT dies without having stopped it (``kill -9``): KILL, or TERM for a
server that has data to flush.
LOCK is a file that the command holds locked while it lives, so that two never write the same
data, not even for the moment in which one still flushes; "-" for none.

On Linux the kernel does it (PR_SET_PDEATHSIG survives exec, so nothing of this file stays in
memory). Elsewhere this process stays as a watch that looks at its own parent's id. Only the
standard library: it is started by path, before anything else is imported.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from types import FrameType

PR_SET_PDEATHSIG = 1
ENOUGH_FILES = 16384  # 500 live sockets need more than the usual soft limit of 1,024
PATIENCE = 20.0  # seconds a predecessor may take to flush


def more_files() -> None:
    """Raise the soft limit of open files towards the hard one."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def hold(path: str) -> bool:
    """Lock ``path`` for this process and what it becomes; False when it stays taken."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(handle, True)  # noqa: FBT003 - os takes no keyword
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        else:
            return True


def die_with_parent(number: int) -> bool:
    """Ask the kernel to send ``number`` when our parent dies; False where it cannot."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    answer: int = ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    return answer == 0


def watch(parent: int, number: int, command: "list[str]") -> int:
    """Run ``command`` as a child; send it ``number`` when our own parent's id changes."""
    child = subprocess.Popen(command, close_fds=False)

    def forward(received: int, _: "FrameType | None") -> None:
        child.send_signal(received)

    for forwarded in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(forwarded, forward)
    while child.poll() is None:
        if os.getppid() != parent:
            child.send_signal(number)
            return child.wait()
        time.sleep(0.1)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def main(arguments: "list[str]") -> int:
    parent = os.getppid() if arguments[0] == "-" else int(arguments[0])
    number = signal.Signals["SIG" + arguments[1]]
    lock, command = arguments[2], arguments[3:]
    more_files()
    by_kernel = die_with_parent(number)
    if os.getppid() != parent:  # it died before the kernel knew that we care
        return 1
    if lock != "-" and not hold(lock):
        print(lock + " is still held by another process", file=sys.stderr)
        return 1
    if by_kernel:
        os.execvp(command[0], command)  # noqa: S606 - becoming the command is the point
    return watch(parent, number, command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
