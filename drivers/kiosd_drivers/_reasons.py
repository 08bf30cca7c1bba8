"""What an error number of the system means for whoever installs a device: the words behind "PORT: " in status, events and MQTT.

The codes beside the words are each driver's own, for the same number says different things of a serial line, a keyboard and an SPI chip.
"""

import errno
import os

REASONS = {
    errno.ENOENT: "is not there",
    errno.ENODEV: "is not there: unplugged, or its driver has not found it",
    errno.ENXIO: "is not there: nothing is behind this name",
    errno.EIO: "does not answer any more: unplugged, or its cable is loose",
    errno.EPIPE: "the other end is gone",
    errno.EAGAIN: "is in use by another program",
    errno.EBUSY: "is in use by another program",
    errno.EACCES: "the user that runs kiosd may not use it; kiosd doctor names the group that may",
    errno.EPERM: "the user that runs kiosd may not use it",
    errno.ENOTTY: "is another kind of device than this driver's",
    errno.EISDIR: "is a directory, not a device",
    errno.EINVAL: "does not take these settings",
}


def reason(number: int) -> str:
    """Words for an errno, the C library's where there are none of ours; "does not work" for a number that nobody knows."""
    known = number in errno.errorcode
    return REASONS.get(number) or (os.strerror(number)[:1].lower() + os.strerror(number)[1:] if known else "does not work")
