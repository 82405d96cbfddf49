"""A WebSocket client of HTTP/1.1. usage: http1.py URL [AUTHORITY]; fails with what was wrong."""

import asyncio
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def talk(connection):
    assert connection.subprotocol == "news", connection.subprotocol
    for message in ("hello", "", "ü" * 1000, b"\0" * 70_000, b"x" * (3 << 20)):
        await connection.send(message)
        assert await connection.recv() == message
    await (await connection.ping())
    await connection.send("end")
    try:
        await connection.recv()
    except ConnectionClosed as closed:
        assert (closed.rcvd.code, closed.rcvd.reason) == (4001, "as asked"), closed
    else:
        raise AssertionError("it was not closed")


async def main():
    options = {"subprotocols": ["news"], "max_size": None}
    if len(sys.argv) > 2:
        options["ssl"] = ssl.create_default_context(cafile=sys.argv[2])
        options["server_hostname"] = "gateway.test"
    # Several at once, each with a connection of its own.
    async def one():
        async with connect(sys.argv[1], **options) as connection:
            await talk(connection)

    await asyncio.gather(*(one() for _ in range(20)))


asyncio.run(asyncio.wait_for(main(), 30))
