"""Each kind of mistake in a configuration: what is written, and how the line about it begins."""

from pathlib import Path

import pytest

from support.small_config import changed, errors

CASES = {
    # sections and keys
    "unknown key": (("name =", "nmae ="), "[site] nmae: unknown key; did you mean 'name'? known: id, name, office"),
    "missing key": (('name = "KIOS"', ""), "[site] name: missing; this key must be given"),
    "unknown section": (("[site]", "[clok]\n[site]"), "[clok]: unknown section; did you mean 'clock'? known: site, node"),
    "section is a value": (("[site]", "log = 5\n[site]"), "[log]: found 5; allowed: a table of keys and values"),
    "device is a value": (("[site]", "[devices]\nx = 5\n[site]"), "[devices.x]: found 5; allowed: a section with driver = ..."),
    "group is a value": (("[mqtt.central]\nhost =", "[site.x]\n[[mqtt]]\nhost ="), "[mqtt]: found a list; allowed: sections [mqtt.NAME]"),
    # kinds of values
    "number for text": (('"KIOS"', "5"), "[site] name: found 5; allowed: text in quotes"),
    "text for number": (("type = 4", 'type = "4"'), "[site] type: found '4'; allowed: 1, 2, 3 or 4"),
    "not one of": (
        ("[site]", '[log]\nlevel = "loud"\n[site]'),
        "[log] level: found 'loud'; allowed: 'debug', 'info', 'warning' or 'error'",
    ),
    "text for switch": (("[site]", '[clock]\ntrust_rtc = "no"\n[site]'), "[clock] trust_rtc: found 'no'; allowed: true or false"),
    "text for list": (('["F"]', '"F"'), "[counters.1] services: found 'F'; allowed: a list in brackets"),
    "number in list": (('["F"]', '["F", 1]'), "[counters.1] services, item 2: found 1; allowed: text in quotes"),
    "empty list": (('["board"]', "[]"), "[call_board] displays: found a list; allowed: at least 1 item(s)"),
    "too small": (("[site]", "[rules]\nmax_calls = 0\n[site]"), "[rules] max_calls: found 0; allowed: 1 or more"),
    "too large": (("[site]", "[rules]\nmax_calls = 10\n[site]"), "[rules] max_calls: found 10; allowed: 9 or less"),
    "not a number": (("[site]", "[rules]\nrecall_gap_s = nan\n[site]"), "[rules] recall_gap_s: found nan; allowed: 300.0 or less"),
    "too long": (
        ('"Jamsos Naker"', '"Jaminan Sosial Naker"'),
        "[services.F] short: found 'Jaminan Sosial Naker'; allowed: at most 16 characters",
    ),
    "wrong form": (('"CTH04"', '"cth-04"'), "[site] id: found 'cth-04'; allowed: 2 to 8 capital letters or digits"),
    "session": (("[site]", '[hours]\nmonday = ["8-12"]\n[site]'), "[hours] monday, item 1: found '8-12'; a session is written"),
    "time for text": (('"KIOS"', "08:00:00"), "[site] name: found 08:00:00; allowed: text in quotes"),
    "relative path": (("[site]", '[scan]\nkey_file = "key"\n[site]'), "[scan] key_file: found 'key'; the path must begin with /"),
    "unknown uplink": (("[mqtt.central]", "[mqtt.pusat]"), "[mqtt.pusat]: unknown uplink; allowed: [mqtt.site], a broker at this site"),
    "one broker twice": (
        ("[mqtt.central]", '[mqtt.site]\nhost = "127.0.0.1"\n[mqtt.central]'),
        "[mqtt.central]: this is the broker of [mqtt.site]: remove one, or give one of them a client_id of its own",
    ),
    "a role that nobody outside has": (
        ("[mqtt.central]", '[mqtt.central]\nroles = ["system"]'),
        "[mqtt.central] roles, item 1: found 'system'; allowed: 'public', 'officer', 'receptionist' or 'manager'",
    ),
    "watermarks with gaps": (
        ("[mqtt.central]", '[mqtt.central]\nconfirm = "consumer"\nevents = ["ticket"]'),
        '[mqtt.central]: confirm = "consumer" needs all events: a watermark has no gaps',
    ),
    # services and counters
    "service not of the type": (("[services.F]", "[services.A]"), "[services.A]: kiosk type 4 has no service A; it has F, G: remove this"),
    "service missing": (("type = 4", "type = 3"), "[services.G]: missing; kiosk type 3 has F, G: add this section"),
    "no such letter": (("[services.F]", "[services.I]"), "[services.I]: this name is not allowed; allowed: one capital letter, not I or O"),
    "counter of an unknown service": (
        ('["F"]', '["F", "G"]'),
        "[counters.1] services, item 2: found 'G'; allowed: a service of this kiosk: F",
    ),
    "service twice": (('["F"]', '["F", "F"]'), "[counters.1] services: found a list; a service is named twice"),
    "service without counter": (
        ("[services.F]", '[services.G]\nname = "K3"\nshort = "K3"\n[services.F]'),
        "[services.G]: no counter serves it: add 'G' to a counter's services, or set enabled = false",
    ),
    "counter 0": (("[counters.1]", "[counters.0]"), "[counters.0]: this name is not allowed; allowed: a number from 1 to 99"),
    "counter 01": (("[counters.1]", "[counters.01]"), "[counters.01]: this name is not allowed"),
    "empty machine": (
        ('buttons = "tickets"\nprinter = "printer"', ""),
        "[ticket_machine]: give the machine buttons, a printer or both, or remove this section",
    ),
    "spare alone": (
        ('printer = "printer"', 'spare = "printer"'),
        "[ticket_machine]: a spare needs a printer: name the first one too",
    ),
    "spare twice": (
        ('printer = "printer"', 'printer = "printer"\nspare = "printer"'),
        "[ticket_machine] spare: found 'printer', which [ticket_machine] printer uses already; a device has one place",
    ),
    "spare that cannot print": (
        ('printer = "printer"', 'printer = "printer"\nspare = "scanner"'),
        "[ticket_machine] spare: found 'scanner', which is a scanner (driver serial_scanner); allowed: a ticket printer",
    ),
    "refusing without a printer": (
        ('printer = "printer"', 'without_paper = "refuse"'),
        "[ticket_machine]: without_paper = 'refuse' needs a printer",
    ),
    "unknown policy": (
        ('printer = "printer"', 'printer = "printer"\nwithout_paper = "pause"'),
        "[ticket_machine] without_paper: found 'pause'; allowed: 'show', 'refuse'",
    ),
    # devices
    "unknown device": (
        ('keys = "keys"', 'keys = "kesy"'),
        "[counters.1] keys: found 'kesy'; there is no [devices.kesy]; did you mean 'keys'?",
    ),
    "wrong kind of device": (
        ('scanner = "scanner"', 'scanner = "printer"'),
        "[counters.1] scanner: found 'printer', which is a ticket printer (driver escpos_printer); allowed: a scanner",
    ),
    "device in two places": (
        ('display = "desk"', 'display = "board"'),
        "[counters.1] display: found 'board', which [call_board] displays, item 1 uses already; a device has one place",
    ),
    "device of nobody": (
        ('display = "desk"', ""),
        "[devices.desk]: nothing uses it: name it in a counter, [ticket_machine], [call_board] or [voice]",
    ),
    "no driver": (('driver = "serial_scanner"', ""), "[devices.scanner] driver: missing; this key must be given; known: aplay_voice"),
    "unknown driver": (
        ('"serial_scanner"', '"serial_scaner"'),
        "[devices.scanner] driver: found 'serial_scaner'; there is no such driver; did",
    ),
    "driver is a number": (('"serial_scanner"', "7"), "[devices.scanner] driver: found 7; there is no such driver; known:"),
    "driver's own key": (("F = 4", "F = 28"), "[devices.tickets] buttons.F: found 28; allowed: 27 or less"),
    "key unknown to the driver": (
        ('port = "/dev/desk"', 'prot = "/dev/desk"'),
        "[devices.desk] prot: unknown key; did you mean 'port'? known: port",
    ),
    "key in a table of a driver": (
        ('driver = "serial_scanner"\nport = "/dev/scanner"', 'driver = "evdev_scanner"\nmatch = { byid = "usb-x" }'),
        "[devices.scanner] match.byid: unknown key; did you mean 'by_id'? known: by_id",
    ),
    "device name": (("[devices.desk]", "[devices.Desk]"), "[devices.Desk]: this name is not allowed; allowed: 1 to 32 small letters"),
    "ticket button": (
        ("F = 4", "F = 4, G = 11"),
        "[devices.tickets] buttons.G: unknown name for [ticket_machine] buttons; known: F, F_priority",
    ),
    "rating button": (("4 = 7, ", ""), "[devices.rating] buttons: 4 missing; [counters.1] rating needs all of 1, 2, 3, 4"),
    "rating button too many": (
        ("4 = 7, ", "4 = 7, 5 = 11, "),
        "[devices.rating] buttons.5: unknown name for [counters.1] rating; known: 1, 2",
    ),
    "call key": (
        ("repeat = 6", "repaet = 6"),
        "[devices.keys] buttons.repaet: unknown name for [counters.1] keys; did you mean 'repeat'?",
    ),
    "lamp that nobody lights": (
        ("buttons = { F = 4 }", "buttons = { F = 4 }\nlamps = { raedy = 11 }"),
        "[devices.tickets] lamps.raedy: unknown name for [ticket_machine] buttons; did you mean 'ready'? known: ready",
    ),
    "pin of two devices": (("F = 4", "F = 5"), "[devices.keys] buttons.advance: GPIO pin 5 is used by [devices.tickets] buttons.F already"),
    "pin twice in a device": (("repeat = 6", "repeat = 5"), "[devices.keys]: GPIO 5 is used twice"),
    "port of two devices": (
        ('"/dev/desk"', '"/dev/board"'),
        "[devices.desk] port: port '/dev/board' is used by [devices.board] port already",
    ),
    # text that could harm
    "ESC/POS in a name": (('"KIOS"', '"KIOS\\u001b@"'), r"[site] name: found 'KIOS\x1b@'; text may not contain control characters"),
    "line break in a name": (('"KIOS"', '"KIOS\\nX"'), r"[site] name: found 'KIOS\nX'; text may not contain control characters"),
    "control character in a device": (
        ('"/dev/desk"', '"/dev/\\u0007"'),
        r"[devices.desk] port: found '/dev/\x07'; text may not contain control",
    ),
    "control character in a key": (("[site]", '"\\u001bx" = 5\n[site]'), r'["\x1bx"]: the key holds control characters'),
    "deep": (("[site]", "[a.b.c.d.e.f.g.h.i]\n[site]"), "[a] b.c.d.e.f.g.h: lists or tables are nested too deep"),
}


@pytest.mark.parametrize("case", CASES)
def test_error_line(tmp_path: Path, case: str) -> None:
    replacement, expected = CASES[case]
    lines = errors(tmp_path / "kiosd.toml", changed(replacement))
    assert any(line.startswith(expected) for line in lines), lines


@pytest.mark.parametrize("case", ["unknown device", "wrong form", "pin of two devices", "unknown driver", "too long"])
def test_one_mistake_is_one_line(tmp_path: Path, case: str) -> None:
    assert len(errors(tmp_path / "kiosd.toml", changed(CASES[case][0]))) == 1
