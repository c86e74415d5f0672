"""Texts for the tokenizers' tests: what fetch_texts.sh has unpacked, the code that is on this
machine, and generated numbers, emoji, combining marks and white space.

    python3 tests/tokens/token_texts.py FOLDER      prints sizes and scripts
"""

import collections
import gettext
import gzip
import random
import re
import sys
import sysconfig
import unicodedata
from pathlib import Path

GUIDES = ["de", "el", "en", "fr", "ja", "ko", "ru", "vi", "zh_CN"]
DICTIONARIES = ["ar", "bn_BD", "he_IL", "hi_IN", "ko", "te_IN", "th_TH"]
MANUALS = ["de", "fr", "ja", "ru", "uk", "zh_CN"]
LIMIT = 600_000  # bytes of one source

SPACES = (
    " \t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u180e\u2000\u2001\u2002\u2003\u2004\u2005"
    "\u2006\u2007\u2008\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff\u2581"
)
DIGITS = "0123456789٠١٢٣٤٥۰۱۲۳०१२३০১২௦௧０１２３²³¹¼½ⅧⅨ①②㊀〇𝟘𝟙𑁦"
MARKS = (
    "\u0300\u0301\u0302\u0303\u0307\u0308\u0323\u0327\u0328\u0331\u0338\u0345\u05b0\u05b8\u064b"
    "\u0651\u0670\u093c\u094d\u0e31\u0e48\u1ab0\u1dc0\u20d0\u20dd\u3099\u309a\ufe0f\ufe20\u200d"
)
EMOJI = [
    "😀",
    "😂",
    "🥺",
    "👨\u200d👩\u200d👧\u200d👦",
    "🏳️\u200d🌈",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "🇩🇪🇯🇵",
    "👍🏽",
    "👩🏿\u200d🚀",
    "❤️",
    "☃",
    "✈️",
    "1️⃣",
    "#️⃣",
    "🤷\u200d♂️",
    "🧑\u200d💻",
    "🫠",
    "🪿",
    "🙂\u200d↔️",
    "☎",
    "♻",
    "©",
    "™",
    "㊗",
    "🀄",
    "🃏",
    "🅰",
]


def read_text(path):
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        return file.read().decode("utf-8", "ignore")


def read_files(paths, limit=LIMIT):
    taken, size = [], 0
    for path in paths:
        text = read_text(path)
        taken.append(text)
        size += len(text.encode())
        if size > limit:
            break
    return "\n".join(taken).encode()[:limit].decode("utf-8", "ignore")


def read_words(path):
    """A dictionary's words in random order, a dozen a line."""
    affixes = path.with_suffix(".aff").read_bytes()
    found = re.search(rb"^SET\s+(\S+)", affixes, re.MULTILINE)
    coding = found.group(1).decode() if found else "latin-1"
    lines = path.read_bytes().decode(coding, "ignore").splitlines()[1:]
    words = [line.split("/")[0].split("\t")[0] for line in lines]
    random.Random(path.name).shuffle(words)
    rows = (" ".join(words[i : i + 12]) for i in range(0, len(words), 12))
    return "\n".join(rows).encode()[:LIMIT].decode("utf-8", "ignore")


def read_names(folder, limit=2_000_000):
    """The names of languages and countries in every language of iso-codes."""
    parts = []
    for path in sorted(folder.glob("*/LC_MESSAGES/iso_*.mo")):
        with path.open("rb") as file:
            catalog = gettext.GNUTranslations(file)._catalog
        names = [text for key, text in catalog.items() if key and isinstance(text, str)]
        random.Random(str(path.name)).shuffle(names)
        parts.append("\n".join(names[:250]))
    return "\n".join(parts).encode()[:limit].decode("utf-8", "ignore")


def generate(kind, size=200_000):
    source = random.Random(kind)
    make = {
        "numbers": lambda: source.choice(
            [
                f"{source.randrange(10 ** source.randrange(1, 15)):,}",
                f"{source.uniform(-1e6, 1e6):.{source.randrange(9)}f}",
                f"{source.random():e}",
                f"{source.randrange(1 << 40):#x}",
                "".join(source.choices(DIGITS, k=source.randrange(1, 12))),
            ]
        ),
        "emoji": lambda: "".join(source.choices([*EMOJI, "a", " ", "!"], k=3)),
        "marks": lambda: "".join(
            chr(source.choice([97, 0x410, 0x5D0, 0x915, 0xAC00, 0x304B]) + source.randrange(20))
            + "".join(source.choices(MARKS, k=source.randrange(4)))
            for _ in range(source.randrange(1, 9))
        ),
        "spaces": lambda: (
            "".join(source.choices(SPACES, k=source.randrange(1, 7))) + source.choice("aб字.1'")
        ),
    }[kind]
    parts, done = [], 0
    while done < size:
        parts.append(make() + source.choice([" ", " ", " ", "\n"]))
        done += len(parts[-1].encode())
    return "".join(parts)


def sources(folder):
    """(name, text) of everything, the same on every call."""
    share = folder / "unpacked" / "usr" / "share"
    for name in GUIDES:
        path = share / "doc" / "installation-guide-amd64" / name / f"install.{name}.txt.gz"
        yield f"guide {name}", read_files([path])
    for name in ("ja", "zh-tw"):
        path = share / "debian-reference" / f"debian-reference.{name}.txt.gz"
        yield f"reference {name}", read_files([path])
    for name in DICTIONARIES:
        yield f"words {name}", read_words(share / "hunspell" / f"{name}.dic")
    for name in MANUALS:
        yield f"manual {name}", read_files(sorted((share / "man" / name).glob("man[1-8]/*.gz")))
    yield "names iso-codes", read_names(share / "locale")
    yield (
        "code python",
        read_files(sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")), 800_000),
    )
    yield "code headers", read_files(sorted(Path("/usr/include").glob("*.h")))
    for kind in ("numbers", "emoji", "marks", "spaces"):
        yield f"generated {kind}", generate(kind)


def scripts(texts):
    """Letters by script: the first word of their Unicode names."""
    counts = collections.Counter()
    for text in texts:
        for c, n in collections.Counter(text).items():
            if c.isalpha() and ord(c) > 0x7F or c.isascii() and c.isalpha():
                counts[unicodedata.name(c, "?").split(" ")[0].split("-")[0]] += n
    return counts


def main():
    texts = dict(sources(Path(sys.argv[1])))
    for name, text in texts.items():
        print(f"{len(text.encode()):9,d}  {name}")
    print(f"{sum(len(text.encode()) for text in texts.values()):9,d}  bytes in all")
    rows = [(n, name) for name, n in scripts(texts.values()).items() if n >= 1000]
    for n, name in sorted(rows, reverse=True):
        print(f"{n:9,d}  letters {name}")


if __name__ == "__main__":
    main()
