"""What is said on each topic, as models: for the contract's documents, which a test holds against what is really said."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model

from kiosd.mqtt.commands import Status
from kiosd.mqtt.envelope import SEQUENCE_DIGITS
from kiosd.mqtt.states import Presence
from kiosd.queue.commands import CounterNumber
from kiosd.queue.interface import CounterView, DeviceView, ServiceView

SEQUENCE = rf"^[0-9]{{{SEQUENCE_DIGITS}}}$"
SequenceText = Annotated[str, StringConstraints(pattern=SEQUENCE)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class _Payload(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Envelope(_Payload):
    """Every event: CloudEvents 1.0, structured JSON. `stream` and `sequence` identify it; order by `sequence`, never by `time`.

    `clock` says whether `time` was trusted, `replay` that it is told late, `boot` is the kernel's id of the boot it happened in.
    """

    specversion: Literal["1.0"]
    id: Annotated[str, Field(description="<stream>-<sequence>")]
    source: Annotated[str, Field(description="/kiosd/<site>/<node>")]
    type: Annotated[str, Field(description="kiosd.<family>.<what>.v1")]
    subject: Annotated[str, Field(description="ticket number, counter or device; absent when there is none")] = ""
    time: Annotated[Time, Field(description="UTC, milliseconds")]
    sequence: Annotated[SequenceText, Field(description="number of the event in its stream, from 1, without holes; zero-padded")]
    stream: Annotated[str, Field(description="UUID made with the node's journal: a new memory card is a new stream")]
    boot: str
    clock: Literal["synced", "unsynced"]
    replay: bool
    data: dict[str, Any]


class NodeStatus(_Payload):
    """Whether the node is there. `lost` is its will and carries the `boot` and `conn` of the connection it belongs to."""

    state: Presence
    boot: str
    conn: Annotated[int, Field(description="number of the connection, rising within a boot")]
    since: Time
    version: str


class InfoService(_Payload):
    service: str
    name: str
    enabled: bool


class InfoCounter(_Payload):
    counter: CounterNumber
    services: list[str]


class NodeInfo(_Payload):
    """The birth certificate, sent at every connect before anything else."""

    version: str
    contract: Literal[1]
    stream: str
    config_hash: str
    clock: Literal["synced", "unsynced"]
    services: list[InfoService]
    counters: list[InfoCounter]
    devices: list[str]
    commands: Annotated[list[str], Field(description="commands that this version takes")]
    events: Annotated[list[str], Field(description="types of events that this version sends, without kiosd. and .v1")]


class Header(_Payload):
    """What every state begins with. Within one `boot` a consumer refuses a `rev` that is not higher than the one it has."""

    rev: int
    boot: str
    as_of_sequence: Annotated[int, Field(description="the newest event that the state contains")]
    time: Time


def _shown(name: str, doc: str, view: type[BaseModel], hidden: str, base: type[BaseModel] = _Payload) -> type[BaseModel]:
    """``view`` as a state shows it: without its field ``hidden``."""
    fields: dict[str, Any] = {key: (field.annotation, field) for key, field in view.model_fields.items() if key != hidden}
    return create_model(name, __base__=base, __doc__=doc, **fields)


Line = _shown("Line", "One service's line today; the estimate for a ticket drawn now is in minutes.", ServiceView, "name")


class QueueState(Header):
    """The site: whether tickets are given now, and if not, why and when again; each line's length."""

    stream: str
    date: str
    clock: Literal["synced", "unsynced"]
    open: bool
    message: str
    opens_at: str | None
    training: bool
    services: list[Line]  # type: ignore[valid-type]  # made from ServiceView


CounterShown = _shown("CounterShown", "One counter, and whom it calls or serves.", CounterView, "undo", Header)
DeviceShown = _shown("DeviceShown", "The health of one device or broker connection.", DeviceView, "rev", Header)


class Watermark(_Payload):
    """Written by a consumer: it has everything of `stream` up to `sequence` on its own disk."""

    stream: str
    sequence: Annotated[int, Field(ge=0)]


class Answer(_Payload):
    """The answer to a command. `reason` is for programs, `message` for people; `sequence` is the last event that came of it, 0 for none."""

    id: str | None
    status: Status
    sequence: int
    reason: str = ""
    message: str = ""
    result: dict[str, Any] = Field(default_factory=dict)


class RawScan(_Payload):
    """What was scanned, as it is: only where the site sends it (`forward_scans`), and never stored by it. `token` leads to `scan.read`."""

    counter: CounterNumber
    ticket: str
    token: str
    payload: str


PAYLOADS: dict[str, type[BaseModel]] = {
    "status": NodeStatus,
    "info": NodeInfo,
    "queue": QueueState,
    "counter": CounterShown,
    "device": DeviceShown,
    "ack": Watermark,
    "reply": Answer,
    "scan": RawScan,
}
"""What is said on each row of ``TOPICS``; events and commands have models of their own."""
