"""For every test: asyncio in debug mode, so that a coroutine that was never awaited and a call from the wrong thread show."""

import os

os.environ.setdefault("PYTHONASYNCIODEBUG", "1")
