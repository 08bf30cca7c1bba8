"""``python -m kiosd`` is the ``kiosd`` command."""

from kiosd.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
