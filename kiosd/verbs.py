"""The subcommands of ``kiosd`` as a table: plain words only, so that help comes at once.

A new one is a line in ``VERBS``. Its ``console`` names the function that does it and is imported only when it is asked for: a name of
``kiosd.console``, or ``module:function`` elsewhere; it gets the parsed arguments (an ``argparse.Namespace``) and returns the exit status.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """``--flag``. Without ``metavar`` and ``choices`` it is a switch; else its value is a text, ``default`` when it is not given.

    ``short`` is a second way to write it. ``many``: it may be given again and again, and its value is a list of texts.
    """

    flag: str
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False
    default: str | None = None
    short: str = ""
    many: bool = False


STATE_HELP = (
    "state directory of the daemon; its control socket is DIR/control.sock (default: $KIOSD_STATE, "
    "else var/sim here if a simulation runs in it, else /var/lib/kiosd)"
)
STATE = Option("--state", STATE_HELP, "DIR")
JSON = Option("--json", "for programs: one JSON object (events: one per line)")
ROLES = ("public", "officer", "receptionist", "manager")
AS = Option("--as", "the role that asks (default: the first one that may)", choices=ROLES)
CATEGORIES = "pemberi_kerja, pencari_kerja, pekerja_buruh, masyarakat or tidak_dicatat"
REASON_CODES = "salah_panggil, lanjutan, kondisi_khusus or lainnya"
TIME = "time of today, for example 14:00, or day and time, 2026-07-03T08:00"
ARGUMENTS = {
    "SERVICE": "letter of a service, for example D",
    "COUNTER": "number of a counter, 1-99",
    "[COUNTER]": "number of a counter, 1-99; without it the whole site is meant",
    "TICKET": "number of today, for example D005",
    "SCORE": "4 Sangat Puas, 3 Puas, 2 Kurang Puas, 1 Tidak Puas",
    "ELEMENT=SCORE...": "answers 1 to 4, for example waktu=4; elements: persyaratan, prosedur, waktu, biaya, produk, kompetensi, perilaku, "
    "sarana, pengaduan",
    "DESTINATION": "back_office, dinas_kabkota, dinas_provinsi, kementerian or the id of a site",
    "CATEGORY": CATEGORIES,
    "COUNT": "how many numbers, 1-200",
    "DEVICE": "name of a device, as kiosd status shows it",
    "TEXT": "at most 200 characters",
    "CONFIG": "the configuration, a kiosd.toml",
    "FILE": "the scenario: times and commands, see config/scenario/hari-contoh.txt",
    "on|off": "begin or end it",
    "doctor|tail|purge": "what to do",
    "status|replay": "what to do",
    "printer|buttons|scanner|display|voice": "what kind of device",
    "[NAME]": "name of the device, [devices.NAME] in the configuration; not needed where there is one of its kind",
    "[NODE]": "name of the satellite to be: small letters, digits and hyphens, for example loket-1",
    "[FROM]": "replay: number of the first event",
    "[TO]": "replay: number of the last event",
    "verify": "the only one so far",
}
"""What an argument of this name is. ``[NAME]`` may be left out, ``NAME...`` takes one or more; small letters are the words to choose from,
``on|off``."""
PRIORITY = Option("--priority", "for the elderly, disabled, pregnant ...; the reason is never stored")
CATEGORY = Option("--category", f"group of users: {CATEGORIES}", "CATEGORY")
AT_HAND = Option("--config", "the configuration (default: DIR/kiosd.toml if there is one, else /etc/kiosd/kiosd.toml)", "FILE")
WHY = Option("--reason", "in your own words, at most 200 characters", "TEXT")


BROKER = Option("--broker", "which one of the configuration's brokers (default: central, or the only one)", choices=("site", "central"))


@dataclass(frozen=True, slots=True)
class Verb:
    """A subcommand. ``what`` is the line in ``kiosd --help``, ``more`` follows it in its own help."""

    name: str
    arguments: tuple[str, ...]
    what: str
    more: str
    example: str
    console: str
    options: tuple[Option, ...] = ()
    shared: tuple[Option, ...] = (STATE, JSON)


def _command(name: str, arguments: tuple[str, ...], what: str, more: str, example: str, *options: Option, console: str = "ask") -> Verb:
    """A command to the queue: ``ask`` sends the one of the same name."""
    return Verb(name, arguments, what, more, example, console, options, (AS, STATE, JSON))


VERBS = (
    Verb("run", (), "run the daemon", "Runs in the foreground until SIGTERM or Ctrl-C, logs to standard error.",
         "kiosd run --config /etc/kiosd/kiosd.toml --state /var/lib/kiosd", "kiosd.cli:run",
         (Option("--config", ARGUMENTS["CONFIG"], "FILE", required=True),
          Option("--allow-volatile", "accept a state directory that a reboot empties")),
         (Option("--state", STATE_HELP, "DIR", required=True),)),
    Verb("check-config", ("CONFIG",), "check a configuration and tell what is in it", "Names every error at once; touches no device.",
         "kiosd check-config config/tipe-1.toml", "check_config", shared=(JSON,)),
    Verb("status", (), "show the day, lines, counters and devices", "", "kiosd status", "status"),
    Verb("queue", (), "show who is next", "The next ten, for every counter unless told otherwise.",
         "kiosd queue --counter 2 --explain", "queue",
         (Option("--counter", "for this counter only", "COUNTER"), Option("--service", "for the line of this service only", "SERVICE"),
          Option("--explain", "say for each why it stands there"))),
    _command("issue", ("SERVICE",), "give the next number of a service", "As a press on the service's button does, paper included.",
             "kiosd issue D --priority", PRIORITY, CATEGORY),
    _command("next", ("COUNTER",), "call the next ticket to a counter",
             "Finishes the visit that is being served there, if there is one.", "kiosd next 1"),
    _command("call", ("COUNTER", "TICKET"), "call a ticket out of its order", "The call is listed in the report, with its reason.",
             "kiosd call 1 D005 --reason kondisi_khusus", Option("--reason", REASON_CODES, "CODE", required=True)),
    _command("recall", ("COUNTER",), "call the same ticket once more", "", "kiosd recall 1"),
    _command("start", ("COUNTER",), "the called visitor is at the counter", "", "kiosd start 1"),
    _command("absent", ("COUNTER",), "the called visitor did not come", "Refused before all calls were made, unless forced.",
             'kiosd absent 1 --force "has left the building"',
             Option("--force", "do not wait for all calls; the reason is recorded", "REASON")),
    _command("readmit", ("TICKET",), "an absent visitor came after all", "The ticket waits again, behind further calls of its service.",
             "kiosd readmit D005"),
    _command("undo", ("COUNTER",), "take back the last call, start or finish", "Only for a short while after it.", "kiosd undo 1",
             console="undo"),
    _command("finish", ("COUNTER",), "the visit at a counter is over", "Opens the window in which the rating panel counts for it.",
             "kiosd finish 1"),
    _command("transfer", ("COUNTER", "SERVICE"), "the visitor goes on to another service",
             "Its number and its time of issue stay.", "kiosd transfer 1 D --position head",
             Option("--position", "place in the new line: by time of issue (the default), before or behind all others",
                    choices=("time", "head", "tail"))),
    _command("refer", ("COUNTER", "DESTINATION"), "the visit needs the back office or another office", "Ends the visit here.",
             "kiosd refer 1 dinas_provinsi --reason dokumen_kurang",
             Option("--reason", "a code of [rules] refer_reasons, for example dokumen_kurang or lainnya", "CODE", required=True)),
    _command("cancel", ("TICKET",), "take a ticket out of its line", "The visitor left, or the number is not needed.",
             "kiosd cancel D005", WHY),
    _command("void", ("TICKET",), "declare a number void whose paper failed", "It is never given again.", "kiosd void D005"),
    _command("priority", ("TICKET",), "give a waiting ticket priority", "The reason is never stored.", "kiosd priority D005",
             Option("--withdraw", "take its priority away")),
    _command("category", ("TICKET", "CATEGORY"), "note the visitor's group of users", "", "kiosd category D005 pencari_kerja"),
    _command("reserve", ("SERVICE", "COUNT"), "book numbers for writing by hand", "The machine skips them; 'kiosd enter' types them in.",
             "kiosd reserve D 20"),
    _command("enter", ("TICKET",), "type in a ticket written by hand", "Its number must be booked: see 'kiosd reserve'.",
             "kiosd enter D021 --at 09:10", Option("--at", "when it was written, if that is not now: 09:10", "TIME"), PRIORITY, CATEGORY),
    _command("reprint", ("TICKET",), "print a ticket again", "Marked CETAK ULANG, with its time of issue.", "kiosd reprint D005"),
    _command("rate", ("COUNTER", "SCORE"), "rate the last visit at a counter", "As a press on the counter's rating panel does.",
             "kiosd rate 1 4"),
    _command("invite", ("COUNTER",), "ask the visitor being served to rate", "Presses count for this visit at once.", "kiosd invite 1"),
    _command("survey", ("COUNTER", "ELEMENT=SCORE..."), "answers to the nine-element survey",
             "They belong to the visit that a rating would count for.", "kiosd survey 1 waktu=4 biaya=3"),
    _command("open", ("[COUNTER]",), "open a counter, or the site again", "Without COUNTER: end a special closure early.", "kiosd open 1"),
    _command("pause", ("COUNTER",), "the officer is away for a moment", "", "kiosd pause 1", WHY),
    _command("close", ("[COUNTER]",), "close a counter for today, or the site",
             "Without COUNTER: no tickets are given until then, or until 'kiosd open'; those who wait are served.",
             'kiosd close --until 14:00 --reason "rapat"', Option("--until", f"for the site: {TIME}", "TIME"), WHY),
    _command("training", ("on|off",), "begin or end a training", "Tickets say LATIHAN and count nowhere; only while visitors get none.",
             "kiosd training on"),
    _command("repair", ("DEVICE",), "a device is out of use until a time", "The public is shown the reason and the promised end.",
             'kiosd repair printer --until 14:00 --reason "ganti kepala cetak"',
             Option("--until", TIME, "TIME", required=True), Option("--reason", WHY.help, "TEXT", required=True)),
    _command("note", ("TEXT",), "a note of the manager for the report", "", 'kiosd note "listrik padam pukul 10"'),
    _command("close-day", (), "end the day now", "What still waits expires, what is being served is finished by the system.",
             "kiosd close-day"),
    Verb("events", (), "show what happened", "Ends at the newest event; with --follow it goes on until Ctrl-C.",
         "kiosd events --follow --since 120 --json", "events",
         (Option("--follow", "go on with new events as they happen"),
          Option("--since", "everything after event number N (default: everything; with --follow the last 10)", "N"))),
    Verb("journal", ("verify",), "check the journal's file and chain of hashes",
         "The running daemon checks its own; when none runs, the journal in the state directory is read here.",
         "kiosd journal verify", "verify"),
    Verb("erase", (), "erase the tokens of scans for ever",
         "Says how many scans that are and asks first; what they counted stays. Without a daemon, the journal in the state directory is "
         "changed here.",
         "kiosd erase --tokens-before 2026-07-01", "kiosd.reports.erase_console:erase",
         (Option("--tokens-before", "of all days before this one, for example 2026-07-01", "DATE", required=True),
          Option("--yes", "do not ask"))),
    Verb("report", (), "write the evaluation report of a month, a year or any days",
         "Without a period: the last whole month. Where no daemon runs, the journal in the state directory is read here.",
         "kiosd report --month 2026-07 -o laporan.pdf", "kiosd.reports.console:report",
         (Option("--month", "a month, for example 2026-07", "MONTH"),
          Option("--from", "the first day of any days, for example 2026-07-01", "DATE"),
          Option("--to", "their last day", "DATE"),
          Option("--year", "a year, for example 2026", "YEAR"),
          Option("--format", "its form (default: as FILE is named, else text)", choices=("text", "csv", "json", "html", "pdf")),
          Option("--service", "only this service, or several, A,B; may be given again", "SERVICE", many=True),
          Option("--language", "Indonesian or English (default: the site's)", choices=("id", "en")),
          Option("--decimal", "how csv writes decimals (default: point)", choices=("comma", "point")),
          Option("--weight", "what one of the survey's nine elements weighs (default: exact, 1/9)", choices=("exact", "0.11", "0.111")),
          Option("--output", "write it to FILE, which is then whole or as it was before (default: standard output)", "FILE", short="-o"),
          Option("--config", "where no daemon runs: the configuration (default: DIR/kiosd.toml if there is one, else "
                 "/etc/kiosd/kiosd.toml)", "FILE")),
         (STATE,)),
    Verb("asyncapi", (), "print the MQTT contract as AsyncAPI 3",
         "Topics, events, commands and states with their JSON Schemas; needs no daemon.", "kiosd asyncapi",
         "kiosd.mqtt.asyncapi:show", shared=()),
    Verb("scenario", ("FILE",), "play made-up days from a text file",
         "Into a journal of their own, by the real rules, as fast as it can: for training, for tests, and to try reports.",
         "kiosd scenario config/scenario/hari-contoh.txt", "kiosd.scenario.command:scenario",
         (Option("--config", "the configuration (default: the one that FILE names)", "CONFIG"),
          Option("--state", "where the journal goes, a new or empty directory; a last part NAME stands for the name of FILE "
                 "(default: var/scenario/NAME)", "DIR", default="var/scenario/NAME"),
          Option("--again", "replace what an earlier scenario left there")),
         (JSON,)),
    Verb("enroll", ("[NODE]",), "add a satellite, or turn this board into one",
         "On the hub, NODE: makes its password and one secret file with everything that it needs, and says what is left to do; done "
         "again, it gets a new password. On the satellite, --accept: takes that file in.",
         "kiosd enroll loket-1 --counters 1,2 --hub-host hub.local", "kiosd.enroll:enroll",
         (Option("--counters", "the counters that it acts for, for example 1,2 (default: none, as behind a call board)", "COUNTERS"),
          Option("--hub-host", "the broker's name or address for other boards", "HOST"),
          Option("--port", "its port there (default: 8883, in clear 1883)", "PORT"),
          Option("--ca-file", "the authority's certificate (default: that of [mqtt.site], else /etc/mosquitto/kiosd/ca.crt)", "FILE"),
          Option("--insecure", "in clear, although the broker is another machine"),
          Option("--passwd-file", "enter the password's hash here, in mosquitto's file (default: say how)", "FILE"),
          Option("--config", "the hub's configuration (default: DIR/kiosd.toml if there is one, else /etc/kiosd/kiosd.toml)", "FILE"),
          Option("--output", "where the file goes (default: NODE.enrolment.toml)", "FILE", short="-o"),
          Option("--accept", "on the satellite: the file that the hub made", "FILE"),
          Option("--config-dir", "on the satellite: where its configuration goes", "DIR", default="/etc/kiosd"),
          Option("--force", "replace what is there")),
         (STATE,)),
    Verb("devices", (), "list what is plugged in, with the lines to paste",
         "Lines of the configuration, that is. Each device goes by the name that stays; where there is none, or two are alike, that is "
         "said. Asks no device but the GPIO chip.",
         "kiosd devices --config /etc/kiosd/kiosd.toml", "kiosd.commissioning.console:devices", (AT_HAND,)),
    Verb("test", ("printer|buttons|scanner|display|voice", "[NAME]"), "walk through one device: what to do and what to see",
         "The daemon must not run: it has the devices. Enter answers every question; what a scanner reads is never shown.",
         "kiosd test printer --config /etc/kiosd/kiosd.toml", "kiosd.commissioning.console:test",
         (AT_HAND, Option("--yes", "nobody is there: ask nothing")), (STATE,)),
    Verb("doctor", (), "look for what is wrong with this board",
         "Groups, udev rules, libraries, other programs, power, clock, state directory and more, each with its cause and what to do. "
         "Changes nothing.",
         "kiosd doctor --config /etc/kiosd/kiosd.toml", "kiosd.commissioning.console:doctor", (AT_HAND,)),
    Verb("mqtt", ("doctor|tail|purge",), "look after a broker: check it, watch it, empty it",
         "doctor: checks the way to the broker step by step, beside a running daemon; each failure with its cause and remedy. "
         "tail: what arrives there for this site, until Ctrl-C, with gaps and repetitions marked. "
         "purge: empties every retained topic of this node, after it was stopped.",
         "kiosd mqtt doctor --config /etc/kiosd/kiosd.toml", "kiosd.mqtt.tools.console:mqtt",
         (AT_HAND, BROKER,
          Option("--family", "tail: only these events", choices=("ticket", "counter", "rating", "scan", "device", "system")),
          Option("--yes", "purge: do not ask"),
          Option("--force", "go on although the daemon runs, where that may push it off the broker, or it would fill what is emptied")),
         (STATE, JSON)),
    Verb("outbox", ("status|replay", "[FROM]", "[TO]"), "show what brokers are owed, or tell them again",
         "status: per broker and kind of event how far it was told, and what it lacks. "
         "replay FROM TO: the running daemon tells these events again, marked as a replay.",
         "kiosd outbox replay 120 134 --broker central", "kiosd.mqtt.tools.console:outbox", (BROKER,), (STATE, JSON)),
    Verb("fleet", (), "load-test a central system with made-up sites",
         "Publishes real envelopes of many sites, sim-0001 and so on, from this one process, and tells what the broker made of it. "
         "Retains nothing there.",
         "kiosd fleet --host 127.0.0.1 --sites 1000 --rate 500 --seconds 60 --verify", "kiosd.fleet.console:fleet",
         (Option("--sites", "how many sites", "N", required=True),
          Option("--rate", "events a second, over all sites", "R", required=True),
          Option("--seconds", "go on for so long", "S"),
          Option("--events", "end after so many events", "N"),
          Option("--connections", "sites share so many connections (default: each has its own)", "C"),
          Option("--spread", "when events come: as visitors do, or evenly (default: poisson)", choices=("poisson", "even")),
          Option("--verify", "subscribe as well, and look for what is missing, doubled or out of order"),
          Option("--host", "the broker", "HOST"), Option("--port", "its port (default: 1883)", "PORT"),
          Option("--username", "who to log in as", "NAME"), Option("--password-file", "the file with the password", "FILE"),
          Option("--ca-file", "the authority to trust; turns TLS on", "FILE"),
          Option("--insecure", "in clear, although the broker is another machine"),
          Option("--prefix", "first levels of all topics (default: kiosd)", "TOPIC"),
          Option("--window", "unacknowledged messages of a connection (default: 20)", "N"),
          Option("--config", "instead: the broker of this configuration", "FILE"), BROKER),
         (JSON,)),
)  # fmt: skip
