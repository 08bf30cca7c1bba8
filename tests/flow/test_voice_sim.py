"""The voice in `make run`: what is said stands in the terminal, and the card can be pulled like a cable."""

import tomllib
from pathlib import Path

import tomli_w

from support.simulation import hurried_preset, kiosd, simulation


async def test_what_is_said_is_seen_and_the_card_can_be_pulled(tmp_path: Path) -> None:
    preset = hurried_preset(tmp_path, 1)
    document = tomllib.loads(preset.read_text())
    document["voice"] = {"announcer": "voice", "repeat": 1, "numbers": "always"}
    document["devices"]["voice"] = {"driver": "aplay_voice", "card": "plughw:CARD=vc4hdmi0"}
    preset.write_text(tomli_w.dumps(document))
    state = tmp_path / "sim"
    async with simulation(state, "--config", str(preset), "--no-auto", "--no-broker") as sim:
        await sim.shows(r"^ *voice +a program in aplay's place")
        code, _, err = await kiosd(state, "sim", "press", "D")
        assert code == 0, err
        await sim.shows(r"voice +voice says: Nomor Anda, D, nol nol satu\.$")
        code, _, err = await kiosd(state, "sim", "unplug", "voice")
        assert code == 0, err
        code, _, err = await kiosd(state, "sim", "press", "D")
        assert code == 0, err
        await sim.shows("device +voice is down: sound card plughw:CARD=vc4hdmi0: it is not there")
        code, _, err = await kiosd(state, "sim", "plug", "voice")
        assert code == 0, err
        await sim.shows("device +voice works$")
    assert "Traceback" not in sim.seen
