#!/usr/bin/env python3
"""A literal client of the plain exchange, written from the protocol text alone.

    python3 plain_client.py HOST PORT [options] COMMAND...

COMMAND is one of  ls  ls=PATH  get=NAME:LOCALFILE  put=LOCALFILE:NAME  quit  raw=TEXT

The local file's path has no colon; every other colon belongs to NAME.  A `quit` is added at the
end unless there is one, or --no-quit, or --close-at.  One JSON line is printed per command:

    command, outcome, port_header and header (the ten bytes as they came or went), port, bytes,
    sha256 (of the body as far as it came or went), text (of an `ls` or `raw`)

outcome: ok | no-header (the connection ended before a header, or it is no usable number)
       | short | refused | reset | timeout | dropped (by --close-at, whose step is in `at`)

Exit status: 0 if every command was ok, or if --close-at was reached; 1 otherwise.  There are
no retries: a data port that is refused is reported as refused.
"""
import argparse
import hashlib
import json
import os
import shutil
import socket
import struct
import sys
import tempfile
import time

PADS = {"zero": "%010d", "space-left": "%10d", "space-right": "%-10d"}
STEPS = ["after-connect", "in-command-header", "after-command-header", "in-command",
         "after-command", "after-port", "after-data-connect", "in-data-header",
         "after-data-header", "in-body", "after-body"]


class End(Exception):
    """The command ends here, and the argument is its outcome."""


def receive(sock, count):
    """Yield the next `count` bytes in pieces; stop early at the end of the connection."""
    while count > 0:
        piece = sock.recv(min(count, 65536))
        if not piece:
            return
        count -= len(piece)
        yield piece


def number(header):
    try:
        value = int(header)
    except ValueError:
        value = -1
    if len(header) < 10 or value < 0:
        raise End("no-header")
    return value


class Client:
    def __init__(self, options):
        self.options = options
        self.stop_at = None  # --close-at, once the last command has come
        self.control = self.data = None

    def connect(self, port):
        sock = socket.create_connection((self.options.host, port), self.options.timeout)
        if self.options.byte_at_a_time:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def step(self, name):
        if self.stop_at == name:
            raise End("dropped")

    def send_message(self, sock, length, pieces, steps):
        """Send a header and what follows, in the sends that the options ask for; `steps` names
        the points in the header, after it, in the middle of the rest, and at the end."""
        def sends():
            held = (PADS[self.options.pad] % length).encode()
            if not self.options.coalesce:
                yield held
                held = b""
                time.sleep(0.05 if self.options.split else 0)
            for piece in pieces:
                yield held + piece
                held = b""
            yield held

        cut = dict(zip(steps, (5, 10, 10 + length // 2, 10 + length))).get(self.stop_at)
        sent = 0
        for data in sends():
            data = data if cut is None else data[:cut - sent]
            sent += len(data)
            width = 1 if self.options.byte_at_a_time else 65546
            for at in range(0, len(data), width):
                sock.sendall(data[at:at + width])
            if sent == cut:
                raise End("dropped")

    def exchange(self, kind, text, local, report):
        """Steps 2 to 5 for one command, and step 1 before the first."""
        self.control = self.control or self.connect(self.options.port)
        self.step("after-connect")
        self.send_message(self.control, len(text), [text], STEPS[1:5])
        header = b"".join(receive(self.control, 10))
        report["port_header"] = header.decode("ascii", "backslashreplace")
        if kind == "quit" and not header:
            return  # the end of the control connection is an answer too
        report["port"] = number(header)
        if not 0 < report["port"] < 65536:
            raise End("no-header")
        self.step("after-port")
        time.sleep(self.options.delay_data)
        self.data = self.connect(report["port"])
        self.step("after-data-connect")
        if kind == "put":
            self.send_file(local, report)
        elif kind != "quit":
            self.receive_body(kind, local, report)

    def send_file(self, local, report):
        size = os.path.getsize(local)
        if size > 9999999999:
            sys.exit("too large for a plain header: " + local)
        digest = hashlib.sha256()
        report.update(header=PADS[self.options.pad] % size, bytes=0)

        def body(left):
            with open(local, "rb") as file:
                while left > 0:  # what lies beyond the end of the file is --extra
                    piece = file.read(min(left, 65536)) or b"x" * min(left, 65536)
                    left -= len(piece)
                    digest.update(piece)
                    report["bytes"] += len(piece)
                    yield piece

        self.send_message(self.data, size, body(size + self.options.extra), STEPS[7:])
        report["sha256"] = digest.hexdigest()
        if self.options.half_close:
            try:
                self.data.shutdown(socket.SHUT_WR)
            except OSError:  # "not connected": a reset has come since the last send
                raise End("reset")
            while self.data.recv(65536):
                pass

    def receive_body(self, kind, local, report):
        header = b"".join(receive(self.data, 5))
        if len(header) == 5:
            self.step("in-data-header")
            header += b"".join(receive(self.data, 5))
        report["header"] = header.decode("ascii", "backslashreplace")
        size = number(header)
        self.step("after-data-header")
        digest, got = hashlib.sha256(), 0
        with tempfile.TemporaryFile() as sink:
            try:
                for target, step in ((size // 2, "in-body"), (size, "after-body")):
                    for piece in receive(self.data, target - got):
                        got += len(piece)
                        digest.update(piece)
                        sink.write(piece)
                    if got < target:
                        raise End("short")
                    self.step(step)
            finally:
                report.update(bytes=got, sha256=digest.hexdigest())
            sink.seek(0)
            if kind == "get":
                with open(local, "wb") as file:
                    shutil.copyfileobj(sink, file)
            else:
                report["text"] = sink.read().decode("utf-8", "backslashreplace")

    def run(self, command):
        """One command; returns its report."""
        report = {"command": command[1].decode("utf-8", "backslashreplace"), "port": None}
        try:
            self.exchange(*command, report)
            report["outcome"] = "ok"
        except End as end:
            report["outcome"] = str(end)
        except ConnectionRefusedError:
            report["outcome"] = "refused"
        except ConnectionError:
            report["outcome"] = "reset"
        except socket.timeout:
            report["outcome"] = "timeout"
        dropped = report["outcome"] == "dropped"
        if dropped:
            report["at"] = self.stop_at
        for sock in filter(None, (self.data, self.control if dropped else None)):
            if dropped and self.options.reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        self.data = None
        return report


def parse_command(argument):
    """Returns the kind of command, its text on the wire, and the local file."""
    kind, equals, rest = argument.partition("=")
    name, local = rest, None
    if kind == "get" and ":" in rest:
        name, _, local = rest.rpartition(":")
    elif kind == "put" and ":" in rest:
        local, _, name = rest.partition(":")
    elif argument not in ("ls", "quit") and not (equals and kind in ("ls", "raw")):
        raise argparse.ArgumentTypeError("no such command: " + argument)
    text = rest if kind == "raw" else kind + " " + name if equals else kind
    return kind, os.fsencode(text), local


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("host")
    add("port", type=int)
    add("commands", nargs="+", type=parse_command, metavar="COMMAND")
    add("--byte-at-a-time", action="store_true", help="one byte per send, TCP_NODELAY")
    add("--coalesce", action="store_true", help="a header and what follows in one send")
    add("--split", action="store_true", help="a pause between a header and what follows")
    add("--pad", choices=PADS, default="zero", help="what fills up a header, and where")
    add("--delay-data", type=float, default=0, metavar="SECONDS", help="before connecting")
    add("--close-at", choices=STEPS, help="drop both connections there, in the last command")
    add("--reset", action="store_true", help="drop them with RST and not with FIN")
    add("--no-quit", action="store_true", help="just close the control connection at the end")
    add("--half-close", action="store_true", help="after a put, SHUT_WR and wait for the end")
    add("--extra", type=int, default=0, metavar="N", help="put N more bytes than announced")
    add("--timeout", type=float, default=30, metavar="SECONDS", help="of each wait (30)")
    options = parser.parse_intermixed_args()
    commands = options.commands
    if not (options.no_quit or options.close_at or commands[-1][0] == "quit"):
        commands.append(("quit", b"quit", None))
    client, outcomes = Client(options), []
    for command in commands:
        client.stop_at = options.close_at if command is commands[-1] else None
        report = client.run(command)
        print(json.dumps(report), flush=True)
        outcomes.append(report["outcome"])
        if command[0] == "quit":
            break
    if client.control:
        client.control.close()
    sys.exit(0 if outcomes[-1] == "dropped" or set(outcomes) == {"ok"} else 1)


if __name__ == "__main__":
    main()
