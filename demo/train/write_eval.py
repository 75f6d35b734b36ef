"""Write the held-out examples of every task that the published table is measured on."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tasks import TASKS, held_out_set

SEED = 101
EXAMPLES = 100


def main() -> None:
    """One `.jsonl` file a task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval", type=Path, default=Path("../eval"))
    folder: Path = parser.parse_args().eval
    folder.mkdir(parents=True, exist_ok=True)
    for task in TASKS:
        lines = (json.dumps({"input": text, "expected": expected}) for text, expected in held_out_set(task, SEED, EXAMPLES))
        (folder / f"{task}.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
