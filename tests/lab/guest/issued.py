"""What stands in the journal of tickets that were given: a JSON list of [sequence, number]. Reads only. Started with ``-I -S``."""

import json
import sqlite3

JOURNAL = "file:/var/lib/kiosd/journal.db?mode=ro"

rows = sqlite3.connect(JOURNAL, uri=True).execute("SELECT seq, data FROM journal WHERE type = 'ticket.issued' ORDER BY seq").fetchall()
print(json.dumps([[seq, json.loads(data)["number"]] for seq, data in rows]))
