"""What stands in the registers of a Modbus display: its configuration, and from a face to numbers; pure."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kiosd.ports import DriverConfig, Face, SharedLine
from kiosd_drivers._bus import Gap, Rs485, WriteTimeout, shared
from kiosd_drivers._letters import Letters, digits, lamp
from kiosd_drivers._serial import Baudrate, Parity, PortPath, StopBits

Register = Annotated[int, Field(ge=0, le=0xFFFF)]
OPTIONAL = ("counter_register", "lamp_register", "attention_register")
WORDS = {"u16": 1, "bcd16": 1, "u32": 2, "bcd32": 2}
"""Number format -> registers that it takes."""
MOST_DIGITS = {"u16": 4, "bcd16": 4, "u32": 8, "bcd32": 8}


class Config(DriverConfig):
    """Register numbers count from 0, as on the wire: the first one of a manual that counts from 40001 is 0."""

    port: PortPath = Field(description="The serial port; several displays may be on one.")
    baudrate: Baudrate = Field(default=9600, description="Bits per second, as the display is set.")
    parity: Parity = Field(default="none", description="The standard says even; most displays come with none.")
    stop_bits: StopBits = Field(default=1, description="Stop bits, as the display is set.")
    address: int = Field(ge=1, le=247, description="The display's address on the line.")
    function: Literal[6, 16] = Field(default=16, description="How registers are written: 6 one by one, 16 several at once.")
    number_register: Register = Field(description="Where the number goes; the first of two registers for u32 and bcd32.")
    number_format: Literal["u16", "u32", "bcd16", "bcd32"] = Field(
        default="u16", description="A binary number or decimal digits of 4 bits each, in one register (16 bits) or two (32)."
    )
    word_order: Literal["high_first", "low_first"] = Field(default="high_first", description="Which of two registers is the higher half.")
    digits: int = Field(default=4, ge=1, le=8, description="How many digits the display has for the number.")
    letters: Letters = Field(description='What becomes of the letter of A012: "drop", "lamp" or a table { A = 1, B = 2 }.')
    counter_register: Register | None = Field(default=None, description="Where the counter's number goes.")
    lamp_register: Register | None = Field(default=None, description='With letters = "lamp": one bit for each letter, A is bit 0.')
    attention_register: Register | None = Field(default=None, description="1 while a call is fresh, then 0: to blink or beep.")
    blank: Register = Field(default=0, description="What the number's registers and the counter's hold when there is nothing to show.")
    answer_s: float = Field(default=0.3, ge=0.05, le=5.0, description="How long the display may take to answer, in seconds.")
    write_timeout_s: WriteTimeout = 1.0
    gap_s: Gap = 0.03
    rs485: Rs485 = False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        words = WORDS[self.number_format]
        if self.function == 6 and words > 1:
            raise ValueError("function 6 writes one register at a time, so half a number would show: use 16, or a format of 16 bits")
        if self.digits > MOST_DIGITS[self.number_format]:
            raise ValueError(f"{self.number_format} holds at most {MOST_DIGITS[self.number_format]} digits")
        if (self.letters == "lamp") != (self.lamp_register is not None):
            raise ValueError('letters = "lamp" and lamp_register belong together')
        used = [self.number_register + n for n in range(words)] + [one for key in OPTIONAL if (one := getattr(self, key)) is not None]
        if len(set(used)) < len(used) or max(used) > 0xFFFF:
            raise ValueError("each register is for one thing, and none is above 65535")
        return self

    def shared_line(self) -> SharedLine | None:
        """Modbus displays share a line by their addresses."""
        return shared(self, "address")


def registers(config: Config, face: Face) -> dict[int, int]:
    """Every register of the display and what it holds while ``face`` is shown; pure."""
    shown = digits(face.number, config.digits, config.letters)
    words = WORDS[config.number_format]
    if shown.isdecimal():
        number = int(shown, 16 if config.number_format.startswith("bcd") else 10)
        halves = [number >> 16 * n & 0xFFFF for n in range(words)]
    else:
        halves = [config.blank] * words
    if config.word_order == "high_first":
        halves.reverse()
    others = {
        config.counter_register: config.blank if face.counter is None else face.counter,
        config.lamp_register: lamp(face.number),
        config.attention_register: int(face.attention),
    }
    given = {register: value for register, value in others.items() if register is not None}
    return dict(enumerate(halves, config.number_register)) | given


def runs(values: Mapping[int, int], longest: int) -> Iterator[tuple[int, list[int]]]:
    """Neighbouring registers together: the first one's number, and the values of at most ``longest``."""
    start, run = 0, list[int]()
    for register in sorted(values):
        if run and (register != start + len(run) or len(run) == longest):
            yield start, run
            run = []
        if not run:
            start = register
        run.append(values[register])
    yield start, run
