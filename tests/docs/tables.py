"""README's tables, made from the tables in the code. ``python tests/docs/tables.py`` writes them into README.md and drivers/README.md."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from kiosd import ports as port_types
from kiosd.cli import EXITS, VERBS
from kiosd.mqtt.topics import TOPICS
from kiosd.queue.commands import COMMANDS, Command
from kiosd.queue.events import EVENTS
from kiosd.queue.model import TRANSITIONS
from kiosd.registry import find, names
from kiosd.stations.counter import KEYS

README = Path(__file__).parents[2] / "README.md"
DRIVERS_README = README.parent / "drivers" / "README.md"


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def states() -> str:
    rows = [(row.before.value if row.before else "-", row.after.value, row.command, row.who, row.guard, row.event) for row in TRANSITIONS]
    return table(("from", "to", "command", "who", "guard", "event"), rows)


def topics() -> str:
    rows = [
        (f"`{row.path}`", row.payload, row.qos, "yes" if row.retain else "no", f"{row.expiry_s} s" if row.expiry_s else "-")
        for row in TOPICS
    ]
    return table(("topic under `kiosd/1/<site>/<node>/`", "payload", "QoS", "retained", "expiry"), rows)


def first_line(thing: type) -> str:
    """The first sentence of a docstring."""
    text = " ".join((thing.__doc__ or "").split("\n\n")[0].split())
    return text.replace("``", "`")


def commands() -> str:
    def fields(command: str) -> str:
        model = COMMANDS[command]
        wanted = [name for name in model.model_fields if name not in Command.model_fields]
        return ", ".join(f"`{name}`" if model.model_fields[name].is_required() else f"[`{name}`]" for name in wanted) or "-"

    return table(("command", "fields ([optional])", "what"), [(f"`{name}`", fields(name), first_line(COMMANDS[name])) for name in COMMANDS])


def events() -> str:
    families: dict[str, list[str]] = {}
    for kind in EVENTS:
        families.setdefault(kind.partition(".")[0], []).append(f"`{kind.partition('.')[2]}`")
    return table(("family (topic `ev/<family>`)", "events"), [(f"`{family}`", ", ".join(kinds)) for family, kinds in families.items()])


def keys() -> str:
    return table(("key", "what it asks"), [(f"`{name}`", what) for name, (what, _) in KEYS.items()])


def verbs() -> str:
    return table(("command", "what"), [(f"`kiosd {' '.join((verb.name, *verb.arguments))}`", verb.what) for verb in VERBS])


def exits() -> str:
    return table(("exit status", "means"), EXITS)


def drivers() -> str:
    def row(name: str) -> tuple[str, str, str]:
        driver = find(name)
        doc = __import__(f"kiosd_drivers.{name}", fromlist=["DRIVER"]).__doc__ or ""
        return f"`{name}`", f"`{driver.port.__name__}`", doc.split("\n", 1)[0].rstrip(".")

    return table(("driver", "port", "for"), [row(name) for name in names()])


def ports() -> str:
    kinds = [kind for kind in vars(port_types).values() if getattr(kind, "_is_protocol", False) and kind.__module__ == port_types.__name__]
    return table(("port", "what it must do"), [(f"`{kind.__name__}`", first_line(kind)) for kind in kinds if kind is not port_types.Driver])


TABLES: dict[str, Callable[[], str]] = {
    "states": states,
    "topics": topics,
    "commands": commands,
    "events": events,
    "keys": keys,
    "verbs": verbs,
    "exits": exits,
    "drivers": drivers,
    "ports": ports,
}
MARK = re.compile(r"(<!-- table: (\w+) -->\n)(.*?)(\n<!-- end -->)", re.DOTALL)


def renewed(text: str) -> str:
    """``text`` with every marked table made anew."""
    return MARK.sub(lambda found: found[1] + TABLES[found[2]]() + found[4], text)


if __name__ == "__main__":
    for page in (README, DRIVERS_README):
        page.write_text(renewed(page.read_text()))
