#!/usr/bin/env python3
"""A literal server of the plain exchange, written from the protocol text alone.

    python3 plain_server.py DIR [--port 0] [options]

Listens on 127.0.0.1, prints `listening PORT`, and serves each client in a thread of its own.
Names are relative to DIR; a put is stored when it has come whole.  With --log one JSON line is
printed per command, before its connections are closed:

    command, header and size_header (the ten bytes as the client sent them), port, outcome,
    bytes (of the body), sha256 (of a put)

outcome: ok | missing | refused (a put) | unknown | bad-port | no-header (the connection ended
       before a header, or it is no usable number) | short | reset | signed (--drop-signed)
       | timeout (nobody came to the data port) | closed, silent (the step is in `at`)
"""
import argparse
import hashlib
import io
import json
import os
import select
import shutil
import socket
import struct
import tempfile
import threading
import time

HOST, DEADLINE = "127.0.0.1", 30
PADS = {"zero": "%010d", "space-left": "%10d", "space-right": "%-10d", "plus": "%+010d"}
STEPS = ["after-accept", "after-command", "in-port", "after-port", "after-data-accept",
         "in-data-header", "after-data-header", "in-body", "before-last-byte"]


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


class Session:
    def __init__(self, control, options):
        self.control, self.options = control, options
        self.listener = self.data = None
        self.stop_at = options.close_at or options.silent_at
        self.report = {}

    def run(self):
        more, reset = True, False
        while more:
            self.report = {}
            try:
                more = self.exchange()
            except End as end:
                self.report["outcome"] = str(end)
                more = self.data is not None
            except OSError as error:
                more = bool(self.report)  # otherwise it was the control connection
                self.report["outcome"] = ("timeout" if isinstance(error, socket.timeout) else
                                          "reset" if isinstance(error, ConnectionError) else
                                          str(error))
            if self.report.get("outcome") == "stop":
                more, reset = False, self.options.reset
                self.report.update(outcome="closed" if self.options.close_at else "silent",
                                   at=self.stop_at)
            if self.options.log and "header" in self.report:
                print(json.dumps(self.report) + "\n", end="", flush=True)
            if self.report.get("outcome") == "silent":
                threading.Event().wait()  # for ever, and all connections stay open
            for sock in filter(None, (self.data, self.listener, None if more else self.control)):
                if reset:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()
            self.listener = self.data = None

    def step(self, name):
        if self.stop_at == name:
            raise End("stop")

    def send(self, sock, pieces, steps):
        """Send the pieces, up to the step that --close-at or --silent-at names."""
        cut, sent = steps.get(self.stop_at), 0
        if self.options.byte_at_a_time:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for data in pieces:
            data = data if cut is None else data[:cut - sent]
            sent += len(data)
            width = 1 if self.options.byte_at_a_time else 65546
            for at in range(0, len(data), width):
                sock.sendall(data[at:at + width])
            if sent == cut:
                raise End("stop")

    def exchange(self):
        """Steps 2 to 5 for one command; false when it was the last."""
        options, control, report = self.options, self.control, self.report
        self.step("after-accept")
        header = b"".join(receive(control, 10))
        if not header:
            return False
        report["header"] = header.decode("ascii", "backslashreplace")
        if options.drop_signed and header[:1] in (b"+", b"-"):
            raise End("signed")
        length = number(header)
        text = b"".join(receive(control, length))
        report.update(command=text.decode("utf-8", "backslashreplace"), outcome="ok")
        if len(text) < length:
            raise End("short")
        self.step("after-command")
        verb, _, name = text.partition(b" ")
        path = os.path.normpath(os.path.join(options.dir, name)) if b"\0" not in name else b""
        if not (path + b"/").startswith(options.dir + b"/"):
            path = b""  # which is neither a file nor a folder
        last = text == b"quit"
        if last and options.no_port_after_quit:
            return False

        # A port that is bound but not listened on refuses connections, and stays ours.
        self.listener = socket.socket()
        self.listener.bind((HOST, 0))
        report["port"] = self.listener.getsockname()[1]
        if not options.port_before_listen:
            self.listener.listen()
        header = options.bad_port or PADS[options.pad] % report["port"]
        self.send(control, [header.encode()], {"in-port": 5, "after-port": 10})
        if options.bad_port:
            report["outcome"] = "bad-port"
            return not last
        if verb == b"put" and (os.path.isdir(path) or not os.path.isdir(os.path.dirname(path))
                               or os.path.lexists(path) and not options.overwrite):
            report["outcome"] = "refused"  # and the listener is closed unaccepted
            return True
        if options.port_before_listen:
            time.sleep(options.port_before_listen)
            self.listener.listen()
        if last and not options.hang_after_quit:  # the client comes, or ends the session
            if self.listener not in select.select([self.listener, control], [], [], DEADLINE)[0]:
                return False
        self.listener.settimeout(None if last else DEADLINE)
        self.data = self.listener.accept()[0]
        self.step("after-data-accept")
        if verb == b"put":
            self.put(path)
        elif verb in (b"ls", b"get"):
            self.answer(verb, path)
        elif not last:
            report["outcome"] = "unknown"
        return not last

    def answer(self, verb, path):
        options = self.options
        if verb == b"ls" and os.path.isdir(path):
            names = [name + (b"/" if os.path.isdir(os.path.join(path, name)) else b"")
                     for name in sorted(os.listdir(path))]
            file = io.BytesIO(b"".join(name + b"\n" for name in names))
            if options.listing:
                file = open(options.listing, "rb")
        elif verb == b"get" and os.path.isfile(path) and os.path.getsize(path) <= 9999999999:
            file = open(path, "rb")
        elif verb == b"get" and options.zero_for_missing:
            file = io.BytesIO()
        else:
            raise End("missing")

        def sends():
            held = (options.bad_header or PADS[options.pad] % size).encode()
            if not options.coalesce:
                yield held
                held = b""
            for piece in iter(lambda: file.read(65536), b""):
                yield held + piece
                held = b""
            yield held
            for at in range(0, options.extra, 65536):
                yield (b"x\n" * 32768)[:options.extra - at]

        with file:
            size = self.report["bytes"] = file.seek(0, os.SEEK_END)
            file.seek(0)
            self.send(self.data, sends(), dict(zip(STEPS[5:], (5, 10, 10 + size // 2, 9 + size))))

    def put(self, path):
        header = b"".join(receive(self.data, 5))
        if len(header) == 5:
            self.step("in-data-header")
            header += b"".join(receive(self.data, 5))
        self.report["size_header"] = header.decode("ascii", "backslashreplace")
        size = number(header)
        self.step("after-data-header")
        digest, got = hashlib.sha256(), 0
        with tempfile.TemporaryFile() as sink:
            try:
                for target, step in ((size // 2, "in-body"), (size - 1, "before-last-byte"),
                                     (size, "end")):
                    for piece in receive(self.data, target - got):
                        got += len(piece)
                        digest.update(piece)
                        sink.write(piece)
                    if got < target:
                        raise End("short")
                    self.step(step)
            finally:
                self.report.update(bytes=got, sha256=digest.hexdigest())
            sink.seek(0)
            with open(path, "wb") as file:
                shutil.copyfileobj(sink, file)


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("dir", type=lambda path: os.fsencode(os.path.realpath(path)))
    add("--port", type=int, default=0)
    add("--byte-at-a-time", action="store_true", help="one byte per send, TCP_NODELAY")
    add("--coalesce", action="store_true", help="size header and body in one send")
    add("--pad", choices=PADS, default="zero", help="what fills up a header, and where")
    add("--port-before-listen", type=float, metavar="SECONDS", help="listen so much too late")
    add("--hang-after-quit", action="store_true", help="wait for the client without a deadline")
    add("--no-port-after-quit", action="store_true", help="just close the control connection")
    add("--zero-for-missing", action="store_true", help="a missing file has size zero")
    add("--drop-signed", action="store_true", help="hang up on a command header with a sign")
    add("--overwrite", action="store_true", help="a put may replace a file")
    add("--extra", type=int, default=0, metavar="N", help="send N more bytes than announced")
    add("--listing", metavar="FILE", help="its bytes are the answer to every ls")
    add("--bad-header", metavar="TEXT", help="ten bytes in the place of a size")
    add("--bad-port", metavar="TEXT", help="ten bytes in the place of a port")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--close-at", choices=STEPS, help="drop all connections there")
    group.add_argument("--silent-at", choices=STEPS, help="do nothing more, but stay connected")
    add("--reset", action="store_true", help="drop them with RST and not with FIN")
    add("--log", action="store_true", help="one JSON line per command")
    options = parser.parse_args()
    for text in (options.bad_header, options.bad_port):
        if text is not None and len(os.fsencode(text)) != 10:
            parser.error("not ten bytes: %r" % text)
    listener = socket.create_server((HOST, options.port))
    print("listening", listener.getsockname()[1], flush=True)
    while True:
        session = Session(listener.accept()[0], options)
        threading.Thread(target=session.run, daemon=True).start()


if __name__ == "__main__":
    main()
