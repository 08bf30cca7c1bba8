"""What ``aplay_voice`` may be given to say, in pieces: phrases with the pause after each, words, and the site's lexicon.

Digits are refused: a synthesiser reads 010 as ten, or as nothing. Whoever speaks spells them (kiosd's queue has the words).
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kiosd.errors import DeviceError

MAX_TEXT = 300
PAUSES_S = {",": 0.15, ";": 0.25, ":": 0.25, ".": 0.35, "!": 0.35, "?": 0.35}
PHRASE = re.compile(r"([^,.;:!?]+)([,.;:!?]?)[,.;:!? ]*")
NOT_SPOKEN = re.compile(r"[^a-z',.;:!? -]")  # brackets too: espeak-ng takes what is in [[ ]] for phonemes
TOKEN = re.compile(r"[a-z][a-z'-]*")
WORD = re.compile(r"[a-z']+")

LEXICON_BYTES = 64 * 1024
LEXICON_WORDS = 1000
KEY = re.compile(r"[A-Za-z][A-Za-z'-]{0,39}")
MAX_SPOKEN = 200  # characters; a long sentence has as many
PLAIN = r"[A-Za-z]+(?:['-][A-Za-z]+)*"
PHONEMES = r"\[\[[A-Za-z0-9'\",%=_:|;@#*~^&?!./+ -]{1,80}\]\]"
SPOKEN = re.compile(rf"(?:{PLAIN}|{PHONEMES})(?:[,.]? (?:{PLAIN}|{PHONEMES}))*[,.]?")
"""Plain words, and phonemes of espeak-ng (docs/phonemes.md there) in double brackets. Nothing of it looks like an option or a tag of
SSML; besides, text goes to espeak-ng by standard input only, and it is not asked to obey tags (-m).
"""


@dataclass(frozen=True, slots=True)
class Phrase:
    """What is said in one breath, in small letters, and how long the voice rests after it. ``mark``: its punctuation mark, or none."""

    text: str
    mark: str

    @property
    def pause_s(self) -> float:
        """The rest after it, in seconds."""
        return PAUSES_S.get(self.mark, 0.0)

    @property
    def words(self) -> list[str]:
        """Its words, without hyphens."""
        return WORD.findall(self.text)


def phrases(text: str) -> list[Phrase]:
    """The phrases of a sentence; ``ValueError`` for what no announcer takes. The text itself is in no message."""
    if not 1 <= len(text) <= MAX_TEXT or not text.isascii() or not text.isprintable():
        raise ValueError(f"a voice is given 1 to {MAX_TEXT} printable ASCII characters")
    if any(char.isdigit() for char in text):
        raise ValueError("a voice is given no digits: spell them")
    plain = NOT_SPOKEN.sub(" ", text.lower())
    found = [Phrase(" ".join(words.split()), mark) for words, mark in PHRASE.findall(plain)]
    return [phrase for phrase in found if phrase.words]


def pronounced(phrase: Phrase, lexicon: Mapping[str, str]) -> str:
    """``phrase`` as the synthesiser gets it: whole words of the lexicon replaced."""
    return TOKEN.sub(lambda found: lexicon.get(found[0], found[0]), phrase.text) + phrase.mark


def read_lexicon(path: str | None) -> dict[str, str]:
    """The table ``[words]`` of a lexicon, keys in small letters; ``DeviceError`` that names the file and what is wrong with it."""
    if path is None:
        return {}
    try:
        with Path(path).open("rb") as file:
            content = file.read(LEXICON_BYTES + 1)
        return _checked(content)
    except OSError as exc:
        raise DeviceError(f"lexicon {path[-80:]}: cannot be read: {exc.strerror}", "config") from exc
    except (ValueError, RecursionError) as exc:
        raise DeviceError(f"lexicon {path[-80:]}: {str(exc)[:90]}", "config") from exc


def _checked(content: bytes) -> dict[str, str]:
    if len(content) > LEXICON_BYTES:
        raise ValueError(f"is longer than {LEXICON_BYTES // 1024} KiB")
    table = tomllib.loads(content.decode())
    words = table.pop("words", {})
    if table or not isinstance(words, dict) or len(words) > LEXICON_WORDS:
        raise ValueError(f"allowed: one table [words] with at most {LEXICON_WORDS} words")
    lexicon: dict[str, str] = {}
    for word, spoken in words.items():
        if not KEY.fullmatch(word):
            raise ValueError("a word has letters, hyphens and apostrophes, 40 at most; another one was found")
        if not isinstance(spoken, str) or len(spoken) > MAX_SPOKEN or not SPOKEN.fullmatch(spoken):
            raise ValueError(f"{word}: allowed: words of letters with spaces between them, and phonemes in [[ ]]")
        if lexicon.setdefault(word.lower(), spoken) != spoken:
            raise ValueError(f"{word}: stands there twice")
    return lexicon
