"""Why a device cannot be used, in words that an installer knows: no driver hands the name of an errno on."""

import errno
import re
from pathlib import Path
from typing import Any

import pytest

from kiosd.errors import DeviceError
from kiosd.registry import find
from kiosd_drivers._keyboards import translated
from kiosd_drivers._reasons import reason

NAMES = re.compile(r"\bE[A-Z0-9]{2,}\b|[Ee]rrno")  # EIO, "[Errno 5] ..."

DRIVERS: dict[str, dict[str, Any]] = {
    "serial_scanner": {},
    "serial_display": {"protocol": "cd5220"},
    "modbus_display": {"address": 1, "number_register": 0, "letters": "drop"},
    "max7219_display": {},
}


async def refused(driver: str, port: str) -> DeviceError:
    """What the driver says of ``port``."""
    found = find(driver)
    with pytest.raises(DeviceError) as caught:
        async with found.open(found.config.model_validate({"port": port, **DRIVERS[driver]})):
            pass
    return caught.value


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(("port", "words"), [("none", "is not there"), ("/dev/null", "is another kind of device")])
async def test_a_port_that_cannot_be_used_is_named_with_plain_words(tmp_path: Path, driver: str, port: str, words: str) -> None:
    path = port if port.startswith("/") else str(tmp_path / port)
    said = str(await refused(driver, path))
    assert said.startswith(f"{path}: {words}") and not NAMES.search(said)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENODEV, errno.EBUSY, errno.EACCES, 0])
def test_so_is_a_keyboard(number: int) -> None:
    with pytest.raises(DeviceError) as caught, translated("/dev/input/event3"):
        raise OSError(number, "x")
    assert re.fullmatch(r"/dev/input/event3: [a-z' ,:;]+", str(caught.value), re.IGNORECASE) and not NAMES.search(str(caught.value))


def test_every_number_of_the_system_has_words() -> None:
    for number in (*errno.errorcode, -1, 100_000):
        assert reason(number).strip() and not NAMES.search(reason(number))
