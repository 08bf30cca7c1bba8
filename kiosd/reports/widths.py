"""How wide the columns of a table are, for paper and for a terminal alike."""

from collections.abc import Sequence


def fit(least: Sequence[float], natural: Sequence[float], room: float) -> list[float]:
    """Widths that sum to at most ``room``: the natural ones if they fit, else what is over the least is shared in proportion.

    When not even the least fits, all shrink alike; a form then breaks words.
    """
    if sum(natural) <= room:
        return list(natural)
    spare, wanted = room - sum(least), sum(natural) - sum(least)
    if spare <= 0:
        return [width * room / sum(least) for width in least]
    return [low + (high - low) * spare / wanted for low, high in zip(least, natural, strict=True)]
