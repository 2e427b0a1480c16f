"""Runs every client against the server with and without the layer, and compares."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

import websockets

OURS = {"x-request-id", "date"}
# A connection that nobody closes fails instead of waiting forever.
socket.setdefaulttimeout(60)


@contextlib.contextmanager
def server(program, directory, **env):
    env = {**os.environ, "PORT": "0", "DASHCAM_DIR": directory, "RUST_LOG": "info", **env}
    log = open(os.path.join(directory, "log"), "wb")
    process = subprocess.Popen([program], env=env, stderr=subprocess.PIPE, stdout=log)
    try:
        line = process.stderr.readline().decode()
        yield line.rsplit(" ", 1)[1].strip()
    finally:
        process.kill()
        process.wait()


def heads(text):
    """Every response head: the status line, and the fields except ours, sorted."""
    found = []
    for head in text.replace("\r\n", "\n").split("\n\n"):
        lines = [line for line in head.split("\n") if line]
        if lines:
            fields = [line for line in lines[1:] if line.split(":")[0].lower() not in OURS]
            found.append([lines[0].rstrip(), *sorted(fields)])
    return found


def curl(*args, data=None):
    """The output of curl, the heads that it saw, and its exit code."""

    def run(address):
        with tempfile.NamedTemporaryFile() as seen:
            words = [word.replace("URL", f"http://{address}") for word in args]
            command = ["curl", "--silent", "--show-error", "--no-progress-meter", "--max-time", "60", "-D", seen.name]
            done = subprocess.run(command + words, input=data, capture_output=True, check=False)
            errors = done.stderr.decode().replace(address, "ADDRESS")
            head = seen.read().decode()
            # With --head, the output is the heads, too.
            body = b"" if "--head" in args else done.stdout
            return {"code": done.returncode, "body": body, "heads": heads(head), "errors": errors}

    return run


def leaves(path, after, version=()):
    """The bytes that a client got before it left after some bytes."""

    def run(address):
        command = ["curl", "--silent", "--no-buffer", *version, f"http://{address}{path}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            got = process.stdout.read(after)
            process.kill()
        return {"body": got}

    return run


def half_request(address):
    """Announces more than it sends, and leaves."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(30)
        got = b""
        with contextlib.suppress(OSError):
            while more := connection.recv(65536):
                got += more
    head, _, body = got.partition(b"\r\n\r\n")
    return {"heads": heads(head.decode()), "body": body}


def pipelined(address):
    """Three requests at once over one connection, and the responses in order."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port))) as connection:
        for path in ("/range", "/empty", "/fails"):
            last = b"connection: close\r\n" if path == "/fails" else b""
            connection.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\n".encode() + last + b"\r\n")
        got = b""
        while more := connection.recv(65536):
            got += more
    return {"heads": heads(got.decode())}


def websocket(address):
    async def talk():
        got = []
        async with websockets.connect(f"ws://{address}/socket", max_size=None) as ws:
            head = [f"{k.lower()}" for k in ws.response.headers if k.lower() not in OURS]
            for message in ["text", "ünïcode", b"\x00binary\xff", "x" * 300_000, b"y" * 70_000]:
                await ws.send(message)
                got.append(await ws.recv())
            await (await ws.ping())
            await ws.close(1000, "bye")
        return {"status": ws.response.status_code, "fields": sorted(head), "body": got,
                "closed": (ws.close_code, ws.close_reason)}

    return asyncio.run(asyncio.wait_for(talk(), 60))


def event_stream(address):
    """The events as a client parses them, and whether they arrived one by one."""
    host, port = address.split(":")
    events, arrivals, block = [], [], {}
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET /events HTTP/1.0\r\nhost: x\r\naccept: text/event-stream\r\n\r\n")
        stream = connection.makefile("rb")
        while stream.readline().strip():
            pass
        for line in stream:
            line = line.decode().rstrip("\r\n")
            if line:
                name, _, value = line.partition(": ")
                block[name] = value
            elif block:
                events.append(block)
                arrivals.append(time.monotonic())
                block = {}
    return {"events": events, "one by one": arrivals[-1] - arrivals[0] > 0.02}


LARGE = bytes(range(256)) * 8192
JSON = json.dumps({"card": "4111111111111111", "lines": list(range(200))}).encode()
H1, H2 = ("--http1.1",), ("--http2-prior-knowledge",)


def cases():
    for name, version in (("HTTP/1.1", H1), ("HTTP/2", H2)):
        url = "URL"
        # Over HTTP/2 there is no interim response, and curl sends the body after a while.
        wait = "30" if version == H1 else "0.2"
        each = {
            "GET": curl(*version, f"{url}/range"),
            "GET with a query": curl(*version, f"{url}/echo?a=1&password=x%20y"),
            "HEAD": curl(*version, "--head", f"{url}/range"),
            "HEAD of a stream": curl(*version, "--head", f"{url}/events"),
            "no content": curl(*version, f"{url}/empty"),
            "not found": curl(*version, f"{url}/nothing"),
            "wrong method": curl(*version, "-X", "DELETE", f"{url}/upload"),
            "range": curl(*version, "-r", "3-7", f"{url}/range"),
            "range out of bounds": curl(*version, "-r", "90-95", f"{url}/range"),
            "failure": curl(*version, f"{url}/fails"),
            "POST of JSON": curl(*version, "-H", "content-type: application/json",
                                 "--data-binary", "@-", f"{url}/echo", data=JSON),
            "POST of a form": curl(*version, "-d", "user=zo%C3%AB&password=s3cret", f"{url}/echo"),
            "upload of 2 MiB": curl(*version, "--data-binary", "@-", f"{url}/upload", data=LARGE),
            "upload from a pipe": curl(*version, "-T", "-", "-X", "POST", f"{url}/upload", data=LARGE),
            "echo from a pipe": curl(*version, "-T", ".", "-X", "POST", f"{url}/echo", data=LARGE),
            "PUT without a body": curl(*version, "-X", "PUT", f"{url}/echo"),
            "expect 100": curl(*version, "-H", "expect: 100-continue", "--expect100-timeout", wait,
                               "--data-binary", "@-", f"{url}/upload", data=LARGE),
            "expect 100, refused": curl(*version, "-H", "expect: 100-continue",
                                        "--expect100-timeout", wait, "--data-binary", "@-",
                                        f"{url}/refuses", data=b"x" * 2000),
            "download of 5 MB": curl(*version, f"{url}/download?bytes=5000001"),
            "trailers": curl(*version, "-H", "te: trailers", f"{url}/trailers"),
            "events": curl(*version, f"{url}/events"),
            "lines": curl(*version, f"{url}/lines"),
            "early disconnect": leaves("/slow", 25, version),
            "early disconnect from a large body": leaves("/download?bytes=50000000", 100_000, version),
            "two requests on one connection": curl(*version, f"{url}/range", f"{url}/echo"),
        }
        if version == H2:
            # Older versions of curl fail on these by themselves.
            del each["expect 100, refused"], each["two requests on one connection"]
        for what, run in each.items():
            yield f"{name}: {what}", run
    yield "upgrade to HTTP/2 is not taken", curl("--http2", "URL/range")
    yield "HTTP/1.0", curl("--http1.0", "URL/download?bytes=100000")
    yield "pipelined", pipelined
    yield "half a request", half_request
    yield "websocket", websocket
    yield "server-sent events", event_stream


def main(program):
    differ = 0
    count = 0
    with tempfile.TemporaryDirectory() as bare_dir, tempfile.TemporaryDirectory() as kept_dir:
        with server(program, bare_dir, BARE="1") as bare, server(program, kept_dir, KEEP="1") as kept:
            for name, run in cases():
                count += 1
                began = time.monotonic()
                expected, got = run(bare), run(kept)
                if (took := time.monotonic() - began) > 5:
                    print(f"{name} took {took:.0f} s")
                if expected != got:
                    differ += 1
                    print(f"DIFFERS {name}")
                    for what in expected.keys() | got.keys():
                        if (one := expected.get(what)) != (other := got.get(what)):
                            print(f"  {what}\n    bare  {len(one)} {one[:200]}\n    layer {len(other)} {other[:200]}")
                elif expected.get("code", 0) not in (0, 18, 56) or not any(expected.values()):
                    differ += 1
                    print(f"BROKEN  {name}: {str(expected)[:600]}")
    print(f"{count} clients, {differ} differ")
    return differ


sys.exit(1 if main(sys.argv[1]) else 0)
