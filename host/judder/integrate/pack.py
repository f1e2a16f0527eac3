"""Tables as short text: pieces that repeat are written once and stand as one letter each.

    pack(["velocity_rms|velocity_peak"], "XY") -> (["Xrms|Xpeak"], ["velocity_"])
    unpack("Xrms|Xpeak", ["velocity_"], "XY")  -> "velocity_rms|velocity_peak"

A piece may contain the letters of those before it, so they are put back from the last to the first. Greedy, and the
same on every computer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

LONGEST = 40


def pack(texts: Sequence[str], letters: str) -> tuple[list[str], list[str]]:
    """(texts, pieces): letters[i] stands for pieces[i]. No text may contain a letter. Raises ValueError if one does."""
    clash = [letter for letter in letters if any(letter in text for text in texts)]
    if clash:
        raise ValueError(f"{''.join(clash)} stand in the text itself")
    texts = list(texts)
    pieces: list[str] = []
    for letter in letters:
        piece = _best(texts)
        if piece is None:
            break
        texts = [text.replace(piece, letter) for text in texts]
        pieces.append(piece)
    return texts, pieces


def _best(texts: Sequence[str]) -> str | None:
    """The substring whose replacement saves most, None when none saves anything."""
    best, most = None, 0
    starts = [(text, start) for text in texts for start in range(len(text))]
    for length in range(2, LONGEST + 1):
        times = Counter(text[start : start + length] for text, start in starts if start + length <= len(text))
        # What is there once is there no more often when it is longer.
        starts = [(text, start) for text, start in starts if times[text[start : start + length]] > 1]
        for piece, at_most in times.items():
            if _saved(piece, at_most) > most:  # which counts it also where it overlaps itself
                saved = _saved(piece, sum(text.count(piece) for text in texts))
                if saved > most:
                    best, most = piece, saved
    return best


def _saved(piece: str, count: int) -> int:
    return count * (len(piece) - 1) - len(piece) - 1


def unpack(text: str, pieces: Sequence[str], letters: str) -> str:
    """What pack() made short, in full."""
    for letter, piece in zip(letters[: len(pieces)][::-1], pieces[::-1], strict=True):
        text = text.replace(letter, piece)
    return text
