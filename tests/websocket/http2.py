"""WebSockets on the streams of one HTTP/2 connection (RFC 8441): frames of `websockets` over streams of `h2`.

usage: http2.py HOST PORT [AUTHORITY]; fails with what was wrong.
"""

import asyncio
import ssl
import sys

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.settings import SettingCodes
from websockets.frames import Opcode
from websockets.protocol import CLIENT, Protocol, State

SIZES = (0, 5, 1000, 70_000, 1 << 20)
SOCKETS = 10


class Link:
    """A connection of HTTP/2."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.h2 = H2Connection(config=H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.sockets = {}
        self.changed = asyncio.Event()
        self.offers = asyncio.Event()

    def flush(self):
        self.writer.write(self.h2.data_to_send())

    async def run(self):
        self.flush()
        while data := await self.reader.read(65_536):
            for event in self.h2.receive_data(data):
                self.on(event)
            self.flush()

    def on(self, event):
        if isinstance(event, RemoteSettingsChanged):
            if SettingCodes.ENABLE_CONNECT_PROTOCOL in event.changed_settings:
                self.offers.set()
        elif isinstance(event, WindowUpdated):
            self.changed.set()
        elif isinstance(event, ResponseReceived):
            self.sockets[event.stream_id].heads.put_nowait(dict(event.headers))
        elif isinstance(event, DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.sockets[event.stream_id].take(event.data)
        elif isinstance(event, (StreamEnded, StreamReset)):
            self.sockets[event.stream_id].ended.set()


class Socket:
    """A WebSocket on a stream."""

    def __init__(self, link, authority):
        self.link = link
        self.stream = link.h2.get_next_available_stream_id()
        self.heads, self.messages, self.ended = asyncio.Queue(), asyncio.Queue(), asyncio.Event()
        self.frames = Protocol(CLIENT, state=State.OPEN, max_size=None)
        self.parts = []
        link.sockets[self.stream] = self
        link.h2.send_headers(
            self.stream,
            [
                (":method", "CONNECT"),
                (":protocol", "websocket"),
                (":scheme", "https"),
                (":path", "/chat"),
                (":authority", authority),
                ("sec-websocket-version", "13"),
                ("sec-websocket-protocol", "news"),
            ],
        )
        link.flush()

    def take(self, data):
        self.frames.receive_data(data)
        for frame in self.frames.events_received():
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self.parts.append(frame.data)
                if frame.fin:
                    self.messages.put_nowait(b"".join(self.parts))
                    self.parts = []

    async def write(self):
        data = b"".join(self.frames.data_to_send())
        while data:
            room = self.link.h2.local_flow_control_window(self.stream)
            size = min(room, self.link.h2.max_outbound_frame_size, len(data))
            if size <= 0:
                self.link.changed.clear()
                await self.link.changed.wait()
                continue
            self.link.h2.send_data(self.stream, data[:size])
            data = data[size:]
            self.link.flush()


async def talk(link, authority):
    socket = Socket(link, authority)
    head = await socket.heads.get()
    assert head[":status"] == "200", head
    assert head["sec-websocket-protocol"] == "news", head
    assert "sec-websocket-accept" not in head, head
    for size in SIZES:
        message = bytes(index % 251 for index in range(size))
        socket.frames.send_binary(message)
        await socket.write()
        assert await socket.messages.get() == message, size
    socket.frames.send_text(b"end")
    await socket.write()
    # The frame that closes is answered with one by the library.
    while socket.frames.close_rcvd is None:
        await asyncio.sleep(0)
    assert socket.frames.close_rcvd.code == 4001, socket.frames.close_rcvd
    await socket.write()
    link.h2.end_stream(socket.stream)
    link.flush()
    await socket.ended.wait()


async def main():
    host, port = sys.argv[1], int(sys.argv[2])
    options = {}
    if len(sys.argv) > 3:
        options["ssl"] = ssl.create_default_context(cafile=sys.argv[3])
        options["ssl"].set_alpn_protocols(["h2"])
        options["server_hostname"] = "gateway.test"
    link = Link(*await asyncio.open_connection(host, port, **options))
    running = asyncio.create_task(link.run())
    await link.offers.wait()
    await asyncio.gather(*(talk(link, "gateway.test") for _ in range(SOCKETS)))
    running.cancel()


asyncio.run(asyncio.wait_for(main(), 30))
