"""Texts of token ids, for people. A result knows ids only; a file brings the texts: TSV
lines of id and JSON string, a JSON list, or a JSON object of text to id or id to text
(vocab.json), or tokenizer.json.
"""

import json

from result import ResultError

SIGNS = {" ": "␣", "\n": "↵", "\t": "→", "▁": "␣"}
BYTE_SPACE = "Ġ"  # a space in the alphabet of byte-level BPE


def read_vocabulary(path):
    """{id: text}; empty without a file."""
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ResultError(2, f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ResultError(3, f"{path}: {error}") from error
    try:
        if text[:1] not in ("{", "["):
            return pieces_of_lines(text)
        return texts_of(pieces_of_json(json.loads(text)))
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise ResultError(3, f"{path}: not a vocabulary: {error}") from error


def pieces_of_lines(text):
    pieces = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        token, tab, piece = line.partition("\t")
        if not tab or not token.isdigit():
            raise ValueError(f"line {number}: expected id, tab, JSON string")
        pieces[int(token)] = str(json.loads(piece))
    return pieces


def pieces_of_json(value):
    """A tokenizer.json, a list, or an object either way round."""
    added = []
    if isinstance(value, dict) and isinstance(value.get("model"), dict):
        added = value.get("added_tokens", [])
        value = value["model"]["vocab"]
    if isinstance(value, list):
        first = [piece[0] if isinstance(piece, list) else piece for piece in value]
        pieces = dict(enumerate(first))
    elif all(isinstance(item, int) for item in value.values()):
        pieces = {token: piece for piece, token in value.items()}
    else:
        pieces = {int(token): str(piece) for token, piece in value.items()}
    return {**pieces, **{token["id"]: token["content"] for token in added}}


def texts_of(pieces):
    """Byte-level vocabularies write each byte as a letter; others are texts already."""
    if not any(piece.startswith(BYTE_SPACE) for piece in pieces.values()):
        return pieces
    alphabet = byte_alphabet()
    return {token: text_of_bytes(piece, alphabet) for token, piece in pieces.items()}


def text_of_bytes(piece, alphabet):
    if any(letter not in alphabet for letter in piece):
        return piece  # an added token
    return bytes(alphabet[letter] for letter in piece).decode("utf-8", "replace")


def byte_alphabet():
    """{letter: byte}: printable bytes of Latin-1 are themselves, the others follow from
    U+0100 on."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in own]
    letters = {chr(byte): byte for byte in own}
    return {**letters, **{chr(256 + i): byte for i, byte in enumerate(others)}}


def show(token, pieces, can_draw, length):
    """A token in a few letters: white space visible, letters that the font lacks as their
    numbers, its id where no text is known."""
    if token not in pieces:
        return f"#{token}"
    signs = [SIGNS.get(letter, letter) for letter in pieces[token]]
    drawn = "".join(s if s.isprintable() and can_draw(s) else f"\\u{ord(s):04x}" for s in signs)
    return drawn if len(drawn) <= length else drawn[: length - 1] + "…"
