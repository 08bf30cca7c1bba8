"""The walks through what only speaks: a call display and a voice. They answer nothing, so a person has to look and to listen."""

import asyncio

from kiosd.commissioning.walk import USE_S, Walk
from kiosd.findings import ok
from kiosd.ports import Announcer, CallDisplay, DriverConfig, Face

FACES = (
    ("all cells", Face(number="8888", counter=88), "number 8888 and counter 88, no dark segment"),
    ("a call", Face(number="A012", counter=4, attention=True), "A012 (012 without letters) and counter 4; it may blink"),
    ("a message", Face(message="UJI / TEST"), "UJI / TEST, where it can show letters"),
    ("empty", Face(), "nothing, or its idle text"),
)


async def display(walk: Walk, device: CallDisplay, _: DriverConfig) -> None:
    """Faces that show dark cells, mixed-up digits and a wrong protocol."""
    for check, face, looks in FACES:
        async with asyncio.timeout(USE_S):
            await device.show(face)
        cause = "another protocol, speed or address than the display's own"
        remedy = "protocol, frame, baudrate; its wires (TX to RX; A to A, B to B)"
        await walk.asked(check, f"Does it show {looks}?", "as it should be", cause, remedy)


SENTENCE = "Nomor antrean, A, nol satu dua. Silakan menuju loket empat."


async def voice(walk: Walk, device: Announcer, _: DriverConfig) -> None:
    """One announcement."""
    walk.say(f"  {SENTENCE}")
    async with asyncio.timeout(USE_S):
        await device.say(SENTENCE, chime=True)
    walk.found(ok("voice", "played to its end"))
    cause, remedy = "volume, another card, a television that is off", "alsamixer; the card in [devices.NAME]: kiosd devices"
    await walk.asked("heard", "Did you hear the sentence, whole and loud enough?", "heard", cause, remedy)
