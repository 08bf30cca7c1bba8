"""``make lab``: run as a program, ``python tests/lab/run.py [PROOF ...]``."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from lab.suite import main

    sys.exit(main(sys.argv[1:]))
