"""Random tokenizer.json files of every part that lmdepth reads, each with the ids of random
strings: what parts do together, and in which order, is where readers of that file go wrong.

    python3 tests/tokens/random_tokenizers.py --lmdepth build/lmdepth --texts build/token-texts \
        --tokenizers 2000 [--seed 0]
"""

import argparse
import base64
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["RUST_BACKTRACE"] = "0"

from check_tokens import references, train_unigram
from token_fuzz import Fuzz
from token_texts import sources
from tokenizers import Tokenizer

BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
STRINGS = 40
SPECIALS = ["<s>", "</s>", "<unk>", "<mask>"]


class Maker:
    """Parts of a tokenizer.json, by chance."""

    def __init__(self, source, base, unigram, charsmaps):
        self.random = source
        self.base, self.unigram, self.charsmaps = base, unigram, charsmaps

    def flag(self):
        return self.random.random() < 0.5

    def word(self):
        return self.random.choice(["\u2581", "x", " ", "ab", "é", "字", "1", "\u0301", "A ", "<s>"])

    def normalizer(self, depth=0):
        kind = self.random.randrange(12 if depth < 2 else 10)
        if kind < 4:
            return {"type": ["NFC", "NFD", "NFKC", "NFKD"][kind]}
        if kind < 6:
            return {"type": ["Lowercase", "StripAccents"][kind - 4]}
        if kind == 6:
            return {"type": "Strip", "strip_left": self.flag(), "strip_right": self.flag()}
        if kind == 7:
            return {"type": "Prepend", "prepend": self.word()}
        if kind == 8:
            # A match of nothing that is replaced makes tokenizers write unknown tokens.
            pattern = self.pattern()
            while re.search(r"\\b|\*", pattern.get("Regex", "")):
                pattern = self.pattern()
            return {"type": "Replace", "pattern": pattern, "content": self.content()}
        if kind == 9:
            mapping = base64.b64encode(self.random.choice(self.charsmaps)).decode()
            return {"type": "Precompiled", "precompiled_charsmap": mapping}
        parts = [self.normalizer(depth + 1) for _ in range(self.random.randrange(4))]
        return {"type": "Sequence", "normalizers": parts}

    def content(self):
        return self.random.choice(["", self.word(), self.word()])

    def pattern(self):
        if self.flag():
            return {"String": self.word()}
        return {"Regex": self.random.choice(references.REGEXES + [" {2,}", "[0-9]", "a|é", r"\s"])}

    def pre_tokenizer(self, depth=0):
        kind = self.random.randrange(9 if depth < 2 else 7)
        if kind == 0:
            return {
                "type": "ByteLevel",
                "add_prefix_space": self.flag(),
                "trim_offsets": self.flag(),
                "use_regex": self.flag(),
            }
        if kind == 1:
            return {
                "type": "Split",
                "pattern": self.pattern(),
                "behavior": self.random.choice(BEHAVIORS),
                "invert": self.flag(),
            }
        if kind == 2:
            return {"type": "Digits", "individual_digits": self.flag()}
        if kind == 3:
            return {"type": "Punctuation", "behavior": self.random.choice(BEHAVIORS)}
        if kind < 6:
            return {"type": ["Whitespace", "WhitespaceSplit"][kind - 4]}
        if kind == 6:
            return {
                "type": "Metaspace",
                "replacement": self.random.choice("\u2581\u2581_x"),
                "prepend_scheme": self.random.choice(["always", "first", "first", "never"]),
                "split": self.flag(),
            }
        parts = [self.pre_tokenizer(depth + 1) for _ in range(self.random.randrange(1, 4))]
        return {"type": "Sequence", "pretokenizers": parts}

    def added_tokens(self):
        words = [
            "<mask>",
            "ab",
            " ",
            "  ",
            "é",
            "e\u0301",
            "A",
            "user",
            "the",
            "▁",
            "1",
            "ﬁ",
            "字x",
        ]
        chosen = self.random.sample(words, self.random.randrange(5))
        tokens = [references.added(w, special=True, normalized=False) for w in SPECIALS[:2]]
        for word in chosen:
            names = ["single_word", "lstrip", "rstrip", "normalized", "special"]
            tokens.append(references.added(word, **{name: self.flag() for name in names}))
        return [{**token, "id": 1000 + i} for i, token in enumerate(tokens)]

    def model(self):
        if self.random.randrange(3) == 0:
            return {**self.unigram, "byte_fallback": self.flag()}
        model = dict(self.base["model"])
        model["unk_token"] = self.random.choice([None, "!"])
        for name in ("byte_fallback", "fuse_unk", "ignore_merges"):
            model[name] = self.flag()
        return model

    def post_processor(self):
        kind = self.random.randrange(4)
        if kind < 2:
            return [None, {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True}][
                kind
            ]
        front = [{"SpecialToken": {"id": "<s>", "type_id": 0}}] if self.flag() else []
        text = {"Sequence": {"id": "A", "type_id": 0}}
        template = {
            "type": "TemplateProcessing",
            "single": [*front, text],
            "pair": [text, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [7], "tokens": ["<s>"]}},
        }
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": self.flag()}
        return template if kind == 2 else {"type": "Sequence", "processors": [byte_level, template]}

    def tokenizer(self):
        return {
            **self.base,
            "normalizer": self.normalizer() if self.random.randrange(4) else None,
            "pre_tokenizer": self.pre_tokenizer() if self.random.randrange(5) else None,
            "post_processor": self.post_processor(),
            "added_tokens": self.added_tokens(),
            "model": self.model(),
        }


def encode(tokenizer, text):
    """None where tokenizers fails, as it does for characters that no model part takes."""
    try:
        return " ".join(map(str, tokenizer.encode(text).ids))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return None


def usable_tokens(made):
    """Without those that are empty when normalized (lmdepth refuses, tokenizers breaks), and of
    equal ones the first alone (tokenizers takes any: the order is a hash table's)."""
    normalizer = Tokenizer.from_str(json.dumps({**made, "added_tokens": []})).normalizer
    tokens, seen = [], {""}
    for token in made["added_tokens"]:
        pattern = token["content"]
        if token["normalized"] and normalizer:
            pattern = normalizer.normalize_str(pattern)
        if pattern not in seen:
            tokens.append(token)
        seen.add(pattern)
    return tokens


def run_lmdepth(program, folder, texts):
    lines = "".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts)
    made = subprocess.run(
        [program, "tokenize", str(folder), "--json"],
        input=lines.encode(),
        capture_output=True,
        check=False,
    )
    return made.returncode, made.stdout.decode().split("\n")[:-1], made.stderr.decode()


def check(options, made, texts, folder):
    """The number of texts that differ; -1 when lmdepth refuses the file."""
    made["added_tokens"] = usable_tokens(made)
    (folder / "tokenizer.json").write_text(json.dumps(made))
    tokenizer = Tokenizer.from_str(json.dumps(made))
    expected = [(text, encode(tokenizer, text)) for text in texts]
    known = [(text, ids) for text, ids in expected if ids is not None]
    code, found, message = run_lmdepth(options.lmdepth, folder, [text for text, _ in known])
    if code != 0:
        print(f"exit {code}: {message.strip()}")
        return -1
    wrong = [(t, ids, line) for (t, ids), line in zip(known, found, strict=True) if ids != line]
    for text, ids, line in wrong[:1]:
        shown = {
            **made,
            "model": {k: v for k, v in made["model"].items() if k not in ("vocab", "merges")},
        }
        print(f"{json.dumps(shown)[:3000]}\n  {text!r}\n    reference {ids}\n    lmdepth   {line}")
    return len(wrong)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lmdepth", default="build/lmdepth")
    parser.add_argument("--texts", type=Path, default=Path("build/token-texts"))
    parser.add_argument("--tokenizers", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    texts = [text for _, text in sources(options.texts)]
    base = references.train_base()
    base["decoder"] = None
    differing = refused = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = train_unigram(texts[:6], folder)
        unigram = json.loads(references.tokenizer_of_unigram(model).to_str())["model"]
        unigram["vocab"] += [[f"<0x{byte:02X}>", -20.0] for byte in range(256)]
        charsmaps = [references.small_charsmap(), references.charsmap_of(model.read_bytes())]
        model.unlink()
        source = random.Random(options.seed)
        maker = Maker(source, base, unigram, charsmaps)
        lines = [line for text in texts for line in text.split("\n") if line]
        fuzz = Fuzz(f"random {options.seed}", lines, [*SPECIALS, "ab", "user"], ["ab", "the"])
        for _ in range(options.tokenizers):
            strings = [fuzz.text() for _ in range(STRINGS)]
            n_wrong = check(options, maker.tokenizer(), strings, folder)
            differing += n_wrong > 0
            refused += n_wrong < 0
    print(
        f"random tokenizers: {options.tokenizers} of {STRINGS} strings each, "
        f"{differing} differ, {refused} refused"
    )
    sys.exit(differing + refused > 0)


if __name__ == "__main__":
    main()
