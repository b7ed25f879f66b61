"""What this host gives a process: memory, as the machine and the control group that it runs in bound it."""

import os
from pathlib import Path

LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
LEAST = 256 << 20


def memory() -> int:
    """Bytes."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in LIMITS:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            found.append(int(text))
    return min(found)


def heap(megabytes: int) -> int:
    """Bytes that Envoy may fill before it defends itself: what was asked for, or half of the memory that there is."""
    return megabytes << 20 if megabytes else max(memory() // 2, LEAST)
