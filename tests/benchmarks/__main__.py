"""`python -m tests.benchmarks [row …]`: run benchmark rows one after another; each prints its table and writes bench/results/<row>.json."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROWS = sorted(p.stem for p in HERE.glob("*.py") if not p.stem.startswith("_") and "def run(" in p.read_text())


def main(rows: list[str]) -> int:
    unknown = set(rows) - set(ROWS)
    if unknown:
        print(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}", file=sys.stderr)
        return 2
    failed = 0
    for row in rows or ROWS:
        print(f"== {row}", flush=True)
        failed |= subprocess.run([sys.executable, "-m", f"tests.benchmarks.{row}"]).returncode
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
