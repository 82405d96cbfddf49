"""Calls the service of server.py. usage: client.py CALLS HOST:PORT [AUTHORITY]; prints what failed, and ends with 1.

CALLS is `every`, or the name of one kind of call. With AUTHORITY, a file, it calls by TLS.
"""

import queue
import sys

import grpc

DEADLINE = 20


def unary(channel):
    call = channel.unary_unary("/lockgate.Test/Unary")
    reply, state = call.with_call(b"abc", timeout=DEADLINE, metadata=(("x-asked", "why"),))
    assert reply == b"cba", reply
    assert ("x-first", "1") in state.initial_metadata(), state.initial_metadata()
    assert ("x-last", "why") in state.trailing_metadata(), state.trailing_metadata()
    large = bytes(range(256)) * 8192
    assert call(large, timeout=DEADLINE) == large[::-1]
    assert call(b"", timeout=DEADLINE) == b""


def failing(channel):
    try:
        channel.unary_unary("/lockgate.Test/Unary")(b"fail", timeout=DEADLINE)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND, error
        assert error.details() == "no such thing", error
        assert ("x-last", "-") in error.trailing_metadata(), error.trailing_metadata()
    else:
        raise AssertionError("it did not fail")
    try:
        channel.unary_unary("/lockgate.Test/Missing")(b"", timeout=DEADLINE)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error
    else:
        raise AssertionError("it did not fail")


def down(channel):
    replies = list(channel.unary_stream("/lockgate.Test/Down")(b"1000", timeout=DEADLINE))
    assert replies == [b"%d" % number for number in range(1000)], len(replies)


def up(channel):
    pieces = (b"x" * 10_000 for _ in range(300))
    assert channel.stream_unary("/lockgate.Test/Up")(pieces, timeout=DEADLINE) == b"3000000"


def both(channel):
    # Each message waits for the reply to the one before: nothing may gather them.
    asked = queue.Queue()
    replies = channel.stream_stream("/lockgate.Test/Both")(iter(asked.get, None), timeout=DEADLINE)
    for number in range(100):
        asked.put(b"%d" % number)
        assert next(replies) == b"%d!" % number
    asked.put(None)
    assert list(replies) == []


def cancelled(channel):
    asked = queue.Queue()
    call = channel.stream_stream("/lockgate.Test/Both")(iter(asked.get, None), timeout=DEADLINE)
    asked.put(b"a")
    assert next(call) == b"a!"
    call.cancel()
    try:
        next(call)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.CANCELLED, error
    asked.put(None)


def late(channel):
    # Nothing is said, so nothing comes back: the deadline ends it.
    never = queue.Queue()
    call = channel.stream_stream("/lockgate.Test/Both")(iter(never.get, None), timeout=0.3)
    try:
        next(call)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
    else:
        raise AssertionError("it did not end")
    never.put(None)


def compressed(channel):
    call = channel.unary_unary("/lockgate.Test/Unary")
    large = b"lockgate" * 50_000
    assert call(large, timeout=DEADLINE, compression=grpc.Compression.Gzip) == large[::-1]


def described(channel):
    # Metadata of bytes, and a failure whose details are not ASCII.
    call = channel.unary_unary("/lockgate.Test/Describe")
    try:
        call(b"", timeout=DEADLINE, metadata=(("x-bytes-bin", bytes(range(256))),))
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
        assert error.details() == "größer als 100 % ✓", error.details()
        assert ("x-bytes-bin", bytes(range(256))) in error.trailing_metadata(), error.trailing_metadata()
    else:
        raise AssertionError("it did not fail")


def unavailable(channel):
    try:
        channel.unary_unary("/lockgate.Test/Unary")(b"", timeout=DEADLINE)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
    else:
        raise AssertionError("it did not fail")


def many(channel):
    call = channel.unary_unary("/lockgate.Test/Unary")
    replies = [call.future(b"%d-" % number, timeout=DEADLINE) for number in range(300)]
    for number, reply in enumerate(replies):
        assert reply.result() == (b"%d-" % number)[::-1]


def main():
    name, target = sys.argv[1:3]
    if len(sys.argv) > 3:
        with open(sys.argv[3], "rb") as authority:
            credentials = grpc.ssl_channel_credentials(authority.read())
        options = (("grpc.ssl_target_name_override", "gateway.test"),)
        channel = grpc.secure_channel(target, credentials, options)
    else:
        channel = grpc.insecure_channel(target)
    every = (unary, failing, down, up, both, cancelled, late, compressed, described, many)
    for call in every if name == "every" else (globals()[name],):
        try:
            call(channel)
        except Exception as error:  # every kind of call says what became of it
            print(f"{call.__name__}: {error!r}")
            sys.exit(1)


main()
