"""What actors and namespaces cost a nats-server: memory, disk and time.

``python -m benchmarks.growth`` prints the tables of docs/scaling.md.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path

import nats
from nats.js import JetStreamContext
from nats.js.api import StorageType, StreamConfig

from tests.servers import NatsServer

PAYLOAD = b"x" * 300


def main() -> None:
    """Start a server, let it grow, print what it takes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--actors", type=int, default=200_000, help="actors, two appends each")
    parser.add_argument("--streams", type=int, default=1000, help="namespaces, one stream each")
    arguments = parser.parse_args()
    asyncio.run(_actors(arguments.actors))
    asyncio.run(_streams(arguments.streams))


async def _actors(actors: int) -> None:
    print("| actors | events | memory MB | after a restart MB | disk MB | start s |")
    print("|---:|---:|---:|---:|---:|---:|")
    with NatsServer() as server:
        for part in (0, actors // 4, actors // 2, actors):
            client = await nats.connect(server.url)
            stream = client.jetstream(timeout=60)
            if part == 0:
                await _add(stream, "events")
                known = 0
            for actor in range(known, part):
                for number in (1, 2):
                    await client.publish(f"events.events.actor-{actor}.{number}", PAYLOAD)
                if actor % 2000 == 0:
                    await client.flush(timeout=60)
            known = part
            await _stored(stream, 2 * part)
            await client.close()
            busy = _memory(server)
            server.stop()
            begun = time.perf_counter()
            server.start()
            client = await nats.connect(server.url)
            await _stored(client.jetstream(timeout=60), 2 * part)
            started = time.perf_counter() - begun
            await client.close()
            print(
                f"| {part:,} | {2 * part:,} | {busy:.0f} | {_memory(server):.0f} "
                f"| {_disk(server.directory):.0f} | {started:.1f} |"
            )


async def _streams(streams: int) -> None:
    print("\n| streams | memory MB | disk MB | made in s | start s |")
    print("|---:|---:|---:|---:|---:|")
    with NatsServer() as server:
        known = 0
        for part in (1, streams // 10, streams):
            client = await nats.connect(server.url)
            context = client.jetstream(timeout=60)
            begun = time.perf_counter()
            for number in range(known, part):
                await _add(context, f"tenant{number}_events")
                await context.publish(f"tenant{number}_events.events.actor.1", PAYLOAD)
            made = time.perf_counter() - begun
            known = part
            await client.close()
            busy = _memory(server)
            server.stop()
            begun = time.perf_counter()
            server.start()
            client = await nats.connect(server.url)
            await client.jetstream(timeout=60).stream_info(f"tenant{part - 1}_events")
            started = time.perf_counter() - begun
            await client.close()
            size = _disk(server.directory)
            print(f"| {part:,} | {busy:.0f} | {size:.0f} | {made:.1f} | {started:.1f} |")


async def _add(context: JetStreamContext, name: str) -> None:
    config = StreamConfig(name=name, subjects=[f"{name}.events.*.*"], storage=StorageType.FILE)
    await context.add_stream(config)


async def _stored(context: JetStreamContext, events: int) -> None:
    for _ in range(600):
        if (await context.stream_info("events")).state.messages == events:
            return
        await asyncio.sleep(0.1)
    raise TimeoutError(f"{events} events were not stored")


def _memory(server: NatsServer) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _disk(directory: Path) -> float:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file()) / 1e6


if __name__ == "__main__":
    main()
