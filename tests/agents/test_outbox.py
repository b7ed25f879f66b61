import asyncio

from meshconsole.agents import outbox
from meshconsole.agents.limits import Bucket
from meshconsole.agents.outbox import Outbox


class Socket:
    """Takes frames while it is open, as a server's does while its buffer has room."""

    def __init__(self):
        self.open = asyncio.Event()
        self.open.set()
        self.sent: list[bytes] = []
        self.broken = False
        self.cut = 0

    async def send(self, data: bytes) -> None:
        await self.open.wait()
        if self.broken:
            raise OSError("gone")
        self.sent.append(data)

    def outbox(self) -> Outbox:
        return Outbox(self.send, self._cut)

    def _cut(self) -> None:
        self.cut += 1


async def test_a_socket_with_room_takes_a_frame_at_once():
    socket = Socket()
    socket.outbox().put(b"a")
    assert socket.sent == [b"a"]


async def test_frames_keep_their_order_while_the_socket_is_full_and_afterwards():
    socket = Socket()
    box = socket.outbox()
    box.put(b"1")
    socket.open.clear()
    for i in range(2, 5):
        box.put(b"%d" % i)
    await asyncio.sleep(0)
    assert socket.sent == [b"1"]
    socket.open.set()
    box.put(b"5")
    await box.emptied()
    assert socket.sent == [b"1", b"2", b"3", b"4", b"5"] and box.size == 0
    box.put(b"6")
    assert socket.sent[-1] == b"6"


async def test_whoever_reads_nothing_is_cut(monkeypatch):
    monkeypatch.setattr(outbox, "MAX_BYTES", 100)
    socket = Socket()
    socket.open.clear()
    box = socket.outbox()
    for _ in range(5):
        box.put(b"x" * 40)
    assert socket.cut > 0
    box.close()


async def test_a_socket_that_is_gone_troubles_nobody():
    socket = Socket()
    box = socket.outbox()
    socket.broken = True
    box.put(b"a")
    socket.open.clear()
    box.put(b"b")
    box.put(b"c")
    socket.open.set()
    await box.emptied()
    assert socket.sent == []


async def test_it_can_be_closed_while_it_waits():
    socket = Socket()
    socket.open.clear()
    box = socket.outbox()
    box.put(b"a")
    box.close()
    await asyncio.sleep(0)
    socket.open.set()
    await asyncio.sleep(0)
    assert socket.sent == []


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate():
    now = [0.0]
    bucket = Bucket(rate=10, burst=3, clock=lambda: now[0])
    assert [round(bucket.wait(), 6) for _ in range(5)] == [0, 0, 0, 0.1, 0.2]
    now[0] = 0.2
    assert round(bucket.wait(), 6) == 0.1
    now[0] = 100
    assert [round(bucket.wait(), 6) for _ in range(4)] == [0, 0, 0, 0.1]
