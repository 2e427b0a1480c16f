"""Calls the service at the address given, and fails where an answer is not right.

Each call brings a correlation ID of its own, which has to come back, and by
which the server is asked what it saw.
"""

import sys
from grpc import RpcError, StatusCode, insecure_channel

channel = insecure_channel(sys.argv[1])


def call(kind, method, name, message, **more):
    """A call of bytes as they are."""
    stub = getattr(channel, kind)(f"/shop.Orders/{method}")
    return stub(message, metadata=[("x-request-id", name)], **more)


def fails(name, code, answer):
    """The call ends with that status, and the answer says whose it is."""
    try:
        answer()
    except RpcError as error:
        assert error.code() == code, error
        # A head without a body is trailers to this client.
        metadata = dict(error.initial_metadata()) | dict(error.trailing_metadata())
        assert metadata["x-request-id"] == name, metadata
    else:
        raise AssertionError(f"{name} went well")


def unary(name, message, method="Unary"):
    return lambda: call("unary_unary", method, name, message)


def stream(name, message):
    return call("unary_stream", "ServerStreaming", name, message)


assert unary("unary-ok", b"ok")() == b"done"
fails("unary-3", StatusCode.INVALID_ARGUMENT, unary("unary-3", b"3"))
fails("unary-13", StatusCode.INTERNAL, unary("unary-13", b"13"))
fails("absent", StatusCode.UNIMPLEMENTED, unary("absent", b"ok", method="Absent"))

assert list(stream("stream-ok", b"ok")) == [b"one", b"two", b"done"]
fails("stream-14", StatusCode.UNAVAILABLE, lambda: list(stream("stream-14", b"14")))


def collect():
    return call("stream_unary", "ClientStreaming", "collect-13", iter([b"ok", b"13"]))


fails("collect-13", StatusCode.INTERNAL, collect)

try:
    call("unary_unary", "Unary", "late", b"wait", timeout=0.05)
    raise AssertionError("answered in time")
except RpcError as error:
    assert error.code() == StatusCode.DEADLINE_EXCEEDED, error

left = stream("left", b"wait")
assert next(left) == b"one"
left.cancel()

channel.close()
