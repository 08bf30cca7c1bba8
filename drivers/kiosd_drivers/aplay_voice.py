"""A voice: recorded clips, or espeak-ng where a word was not recorded, played by aplay on a named sound card.

[devices.voice]
driver = "aplay_voice"
card = "plughw:CARD=vc4hdmi0"
voice = "id"
lexicon = "/etc/kiosd/lexicon/id.toml"

The card is named, not numbered, for numbers move (hardware section 4). A sentence is put together before anything is heard: of clips
when all its words were recorded, else phrase by phrase by espeak-ng, whose sounds are kept. It goes to aplay in one piece.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from kiosd.errors import DeviceError
from kiosd.ports import Announcer, DriverConfig, SiteFile
from kiosd.threads import Lane, lane
from kiosd_drivers._voice_files import Cache, Clips, key, read, read_clips
from kiosd_drivers._voice_programs import Player, Synthesiser
from kiosd_drivers._voice_wav import Sound, chime, joined, silence, softer
from kiosd_drivers._voice_words import Phrase, phrases, pronounced, read_lexicon

DISK_S = 10.0  # a slow card with a busy journal
PROBE_S = 0.05  # of silence, to find out whether the card can be used

Card = Annotated[str, StringConstraints(pattern=r"^(plughw|sysdefault|hdmi|dmix):CARD=[A-Za-z0-9_-]{1,32}(,DEV=[0-9]{1,2})?$")]
VoiceName = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[a-z0-9]{1,8}){0,3}(\+[a-z][a-z0-9]{0,15})?$")]
Directory = Annotated[str, StringConstraints(pattern=r"^/[ -~]+$", max_length=200)]
"""Where the service may write: never beside the configuration."""


class Config(DriverConfig):
    """A sound card and how the voice sounds on it; seconds where a name ends in ``_s``."""

    card: Card = Field(description="ALSA device with the card's name: plughw:CARD=NAME, or plughw:CARD=NAME,DEV=1; `aplay -L` lists them.")
    voice: VoiceName = Field(default="id", description="Voice of espeak-ng: id, en, ms, id+f3 for another speaker.")
    speed: int = Field(default=140, ge=80, le=300, description="Words per minute of espeak-ng.")
    volume: int = Field(default=100, ge=1, le=100, description="Loudness in percent of the recorded or synthesised sound.")
    chime: bool = Field(default=True, description="False: no chime before an announcement.")
    chime_file: SiteFile | None = Field(default=None, description="WAV file of another chime, 16-bit; unset: two tones.")
    clips: SiteFile | None = Field(default=None, description="Directory of recorded clips, such as nomor-antrean.wav, d.wav, nol.wav.")
    lexicon: SiteFile | None = Field(default=None, description="TOML file with a table [words]: how espeak-ng says them.")
    cache: Directory | None = Field(
        default=None, description="Directory for synthesised sounds; unset: voice in the service's cache directory."
    )
    cache_mb: int = Field(default=64, ge=1, le=1024, description="MiB that the cache may have.")
    margin_s: float = Field(default=5.0, gt=0, le=30, description="Seconds that aplay may take beyond the sound's length.")

    @property
    def cache_directory(self) -> Path | None:
        """Where sounds are kept; None outside a service, when the configuration names no place."""
        if self.cache is not None:
            return Path(self.cache)
        service = os.environ.get("CACHE_DIRECTORY", "").partition(":")[0]  # systemd.exec(5)
        return Path(service) / "voice" if service else None


class Voice:
    """Says one sentence at a time."""

    def __init__(self, config: Config, disk: Lane, player: Player) -> None:
        self._config, self._disk, self._player = config, disk, player
        self._cache = Cache(config.cache_directory, config.cache_mb * 1024 * 1024)
        self._clips, self._lexicon = Clips({}), dict[str, str]()
        self._chime: Sound | None = None
        self._synthesiser: Synthesiser | None = None
        self._one_at_a_time = asyncio.Lock()

    async def start(self) -> None:
        """Read the site's files, find the programs, and see that the card can be used."""
        self._lexicon = await self._disk.run(partial(read_lexicon, self._config.lexicon), DISK_S)
        self._clips = await self._disk.run(partial(read_clips, self._config.clips), DISK_S)
        self._chime = await self._disk.run(partial(_read_chime, self._config.chime_file), DISK_S)
        await self._disk.run(self._cache.open, DISK_S)
        try:
            self._synthesiser = Synthesiser(self._config.voice, self._config.speed)
            await self._synthesiser.start()
        except DeviceError:
            if not self._clips.sounds:
                raise
        await self._player.play(silence(PROBE_S))

    async def say(self, text: str, chime: bool = False) -> None:
        """Speak ``text`` to its end, after the chime if that is asked for."""
        async with self._one_at_a_time:
            found = phrases(text)
            parts = self._clips.sentence(found) or await self._synthesised(found)
            for sound in await self._disk.run(partial(self._mixed, parts, chime and self._config.chime), DISK_S):
                await self._player.play(sound, text)

    async def _synthesised(self, found: Sequence[Phrase]) -> list[Sound]:
        parts: list[Sound] = []
        for phrase in found:
            sound = await self._spoken(pronounced(phrase, self._lexicon))
            parts += [sound, silence(phrase.pause_s, *sound.form)]
        return parts

    async def _spoken(self, text: str) -> Sound:
        """One phrase, out of the cache if it was said before."""
        if (synthesiser := self._synthesiser) is None:
            raise DeviceError("a word has no recorded clip, and espeak-ng is not installed: sudo apt install espeak-ng", "program")
        name = key(synthesiser.version, synthesiser.voice, synthesiser.speed, text)
        sound = await self._disk.run(partial(self._cache.get, name), DISK_S)
        if sound is None:
            sound = await synthesiser.speak(text)
            await self._disk.run(partial(self._cache.put, name, sound), DISK_S)
        return sound

    def _mixed(self, parts: Sequence[Sound], with_chime: bool) -> list[Sound]:
        """What aplay gets: one sound, or two when a chime of the site's own has another form."""
        first = [self._chime or chime(*parts[0].form)] if with_chime and parts else []
        return [softer(sound, self._config.volume) for sound in joined([*first, *parts])]


def _read_chime(path: str | None) -> Sound | None:
    if path is None:
        return None
    try:
        return read(Path(path))
    except (OSError, ValueError) as exc:
        raise DeviceError(f"chime {path[-80:]}: {exc}", "config") from exc


class AplayVoiceDriver:
    config: ClassVar[type[DriverConfig]] = Config
    port: ClassVar[type] = Announcer

    @asynccontextmanager
    async def open(self, config: Config, /) -> AsyncIterator[Voice]:
        """Find the programs and try the card; ``DeviceError`` when it cannot be used now."""
        player = Player(config.card, config.margin_s)
        async with lane("voice") as disk:
            voice = Voice(config, disk, player)
            await voice.start()
            yield voice


DRIVER = AplayVoiceDriver()
