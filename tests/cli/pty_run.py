"""Runs a program on a terminal of its own, for tests.

usage: pty_run.py COLUMNS STDOUT PROGRAM [ARG...]

What comes on stdin is typed at that terminal; what appears on it goes to
stdout, byte by byte. STDOUT is a file for the program's stdout, or - for the
terminal. Exits with the program's exit code, or 128 and the signal's number.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios

ROWS = 24
LONGEST_RUN_S = 60


def run(columns: int, stdout: str, command: list) -> int:
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        if stdout != "-":
            os.dup2(os.open(stdout, os.O_WRONLY | os.O_CREAT, 0o600), 1)
        os.execvp(command[0], command)
    # A test that is gone must leave nothing behind: with this process the terminal goes, and with it the program.
    signal.alarm(LONGEST_RUN_S)
    watched = [terminal, 0]
    while True:
        for ready in select.select(watched, [], [])[0]:
            try:
                data = os.read(ready, 65536)
            except OSError:  # How Linux tells that the program has left the terminal.
                data = b""
            if ready == 0 and data == b"":
                watched.remove(0)
            elif ready == 0:
                os.write(terminal, data)
            elif data == b"":
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                return code if code >= 0 else 128 - code
            else:
                os.write(1, data)


sys.exit(run(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
