"""Random well-formed texts that tokenizers may stumble over. The same for one seed."""

import random
import unicodedata

from token_texts import DIGITS, EMOJI, MARKS, SPACES

APOSTROPHES = "'’ʼ‘`´＇"
ENDINGS = [
    "s",
    "S",
    "ſ",
    "t",
    "T",
    "d",
    "D",
    "m",
    "M",
    "ll",
    "LL",
    "lL",
    "re",
    "RE",
    "rE",
    "ve",
    "VE",
    "vE",
    "em",
    "n",
]
BLOCK = 0x80


def is_text(point):
    return not 0xD800 <= point <= 0xDFFF


def assigned_blocks():
    """Every block of 128 code points that has an assigned character."""
    blocks = []
    for start in range(0, 0x110000, BLOCK):
        points = [p for p in range(start, start + BLOCK) if is_text(p)]
        if any(unicodedata.category(chr(p)) not in ("Cn", "Co") for p in points):
            blocks.append(points)
    return blocks


class Fuzz:
    """`lines`: of natural text; `specials`: strings of added tokens; `pieces`: of the
    vocabulary, as text."""

    def __init__(self, seed, lines, specials, pieces):
        self.random = random.Random(seed)
        self.blocks = assigned_blocks()
        self.lines, self.specials, self.pieces = lines, specials, pieces
        self.kinds = [
            self.of_blocks,
            self.of_blocks,
            self.of_any,
            self.of_lines,
            self.of_lines,
            self.of_spaces,
            self.of_digits,
            self.of_apostrophes,
            self.of_marks,
            self.of_pieces,
        ]
        if specials:
            self.kinds.append(self.of_specials)

    def text(self):
        return self.random.choice(self.kinds)()

    def count(self, most):
        """Small numbers more often."""
        return self.random.randrange(1, self.random.randrange(2, most + 2))

    def character(self):
        kind = self.random.randrange(8)
        if kind < 3:
            return chr(self.random.randrange(0x20, 0x7F))
        if kind < 6:
            return chr(self.random.choice(self.random.choice(self.blocks)))
        return self.random.choice(SPACES + DIGITS + MARKS)

    def of_blocks(self):
        blocks = self.random.choices(self.blocks, k=self.count(3))
        points = (self.random.choice(self.random.choice(blocks)) for _ in range(self.count(40)))
        return "".join(map(chr, points))

    def of_any(self):
        points = (self.random.randrange(0x110000) for _ in range(self.count(20)))
        return "".join(chr(p) for p in points if is_text(p))

    def of_lines(self):
        line = self.random.choice(self.lines)
        start = self.random.randrange(len(line) + 1)
        text = list(line[start : start + self.count(200)])
        for _ in range(self.count(8)):
            at = self.random.randrange(len(text) + 1)
            edit = self.random.randrange(5)
            if edit == 0 or at == len(text):
                text.insert(at, self.character())
            elif edit == 1:
                del text[at]
            elif edit == 2:
                text[at] = text[at].swapcase()
            elif edit == 3:
                text[at] *= self.count(12)
            else:
                form = self.random.choice(["NFC", "NFD", "NFKC", "NFKD"])
                text = list(unicodedata.normalize(form, "".join(text)))
        return "".join(text)

    def of_set(self, characters, most=12):
        return "".join(self.random.choices(characters, k=self.count(most)))

    def of_spaces(self):
        parts = []
        for _ in range(self.count(6)):
            some = self.of_set(SPACES, 3)
            parts.append(self.of_set(self.random.choice([some, " ", "\n", "\r\n ", "\t "]), 40))
            parts.append(self.of_set("ab9.,字'é", 3))
        return "".join(parts)[: -self.random.randrange(3) or None]

    def of_digits(self):
        sets = [DIGITS, "0123456789", "0123456789.,-+ eExX", DIGITS + "a字 _"]
        return "".join(self.of_set(self.random.choice(sets)) for _ in range(self.count(6)))

    def of_apostrophes(self):
        parts = []
        for _ in range(self.count(8)):
            parts.append(self.of_set("abIiK\u212a\u0130éЖ字9 ", 4))
            parts.append(self.of_set(APOSTROPHES, 2) + self.random.choice(ENDINGS))
        return "".join(parts)

    def of_marks(self):
        parts = []
        for _ in range(self.count(10)):
            parts.append(self.random.choice([*EMOJI, self.character(), self.character()]))
            parts.append(self.of_set(MARKS, 5) if self.random.randrange(2) else "")
        return "".join(parts)

    def of_pieces(self):
        return "".join(self.random.choices(self.pieces, k=self.count(12)))

    def of_specials(self):
        parts = []
        for _ in range(self.count(8)):
            special = self.random.choice(self.specials)
            cut = self.random.randrange(len(special) + 1)
            parts.append(self.random.choice([special, special, special[:cut], special[cut:]]))
            parts.append(self.random.choice(["", " ", "  ", "\n", "x", self.character()]))
        return "".join(parts)
