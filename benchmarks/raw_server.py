"""A bare protocol on httptools with the same model and the same answer: what a prediction costs without any web server.

Started by `prediction.py` if httptools is installed (it is no dependency: `pip install httptools`); its only argument is the port.
"""

import asyncio
import sys

import uvloop
from bare_server import answer
from httptools import HttpRequestParser

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Connection(asyncio.Protocol):
    """Answers every request alike."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to parse."""
        self.transport, self.body, self.parser = transport, [], HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Parse."""
        self.parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        """Keep a part of the body."""
        self.body.append(data)

    def on_message_complete(self) -> None:
        """Answer."""
        body = answer(b"".join(self.body))
        self.body.clear()
        self.transport.write(HEAD % len(body) + body)


async def serve(port: int) -> None:
    """Answer until the process is killed."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(serve(int(sys.argv[1])))
