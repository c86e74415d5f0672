"""Makes tests/data/token/ with Hugging Face's tokenizers, the reference for ids.

    python3 tests/reference/make_token_references.py --shared ../shared \
        --model models/SmolLM2-135M-Instruct.Q4_1.gguf

    variants.json   a tiny tokenizer.json, variants of its parts, and the ids of texts
    strings.json    texts that tokenizers stumble over, and their ids in real vocabularies
    unigram.json    the same for a tiny Unigram model, its normalizers and Metaspace
    sentencepiece.json  tiny tokenizer.model files (hexadecimal), and SentencePiece's ids
    gguf_splits.json  the ids of texts by a tiny GGUF vocabulary under each pre-tokenizer's name
    corpus.tsv      vocabulary, file, number of ids, sha256 of the ids (little-endian uint32)

`--additions` prints src/token/unicode_additions.def's rows instead: the categories that
tokenizers' regular expressions know beyond Python's unicodedata (14.0 in Python 3.11).

Needs: pip install tokenizers gguf sentencepiece
"""

import argparse
import base64
import hashlib
import io
import json
import struct
import unicodedata
from pathlib import Path

import gguf
import sentencepiece
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, trainers
from tokenizers import normalizers as norm
from tokenizers import pre_tokenizers as pre

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def byte_level(use_regex):
    return pre.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def split(regex):
    return pre.Split(Regex(regex), "isolated")


DEEPSEEK_LETTERS = (
    "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-"
    "\u02af\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1"
    "\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-"
    "\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15"
    "\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d"
    "\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb"
    "\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d"
    "\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183"
    "\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b"
    "\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-"
    "\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb"
    "\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943"
)
DEEPSEEK_SIGNS = "!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002"
DEEPSEEK_CJK = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"

# As the tokenizer.json of the model after which each is named.
CUTS = {
    "": (norm.NFC(), [byte_level(True)], False),
    "default": (None, [byte_level(True)], False),
    "refact": (None, [pre.Digits(True), byte_level(True)], False),
    "mpt": (norm.NFC(), [byte_level(True)], False),
    "olmo": (norm.NFC(), [byte_level(True)], False),
    "dbrx": (None, [split(LLAMA3), byte_level(False)], False),
    "command-r": (norm.NFC(), [pre.Digits(True), byte_level(True)], False),
    "deepseek-llm": (
        None,
        [
            split("[\r\n]"),
            split(rf"\s?[{DEEPSEEK_LETTERS}]+"),
            split(rf"\s?[{DEEPSEEK_SIGNS}]+"),
            split(r"\s+$"),
            split(DEEPSEEK_CJK),
            pre.Digits(True),
            byte_level(False),
        ],
        False,
    ),
    "deepseek-coder": (
        None,
        [
            split("[\r\n]"),
            split(r"\s?\p{L}+"),
            split(r"\s?\p{P}+"),
            split(DEEPSEEK_CJK),
            pre.Digits(True),
            byte_level(False),
        ],
        False,
    ),
    "falcon": (
        None,
        [
            pre.Punctuation("contiguous"),
            byte_level(True),
            pre.Digits(False),
            split("[0-9][0-9][0-9]"),
        ],
        False,
    ),
    "gpt-2": (None, [byte_level(True)], False),
    "llama-bpe": (None, [split(LLAMA3), byte_level(False)], True),
    "qwen2": (norm.NFC(), [split(QWEN2), byte_level(False)], False),
    "smollm": (None, [pre.Digits(True), byte_level(True)], False),
    "starcoder": (None, [pre.Digits(True), byte_level(True)], False),
}

STRINGS = [
    "",
    " ",
    "  \t\n",
    "Hello, world!",
    " leading and trailing ",
    "It's we'll THEY'VE I'M don't 'tis 'S 'ſ 'LL",
    "1 12 123 1234 12345 1,000,000.50 x2y ½ ² Ⅷ ٣٤٥ १२३",
    "line one\nline two\r\nline three\n\n\n  indented\n",
    "tab\tvt\x0bff\x0cfs\x1c nel\x85 nbsp\xa0 ogham\u1680 mvs\u180e zwsp\u200b ls\u2028 bom\ufeff ideographic\u3000end",
    "café cafe\u0301 A\u030a Å \u212b ﬁ ﬀ ß ǆ",
    "q\u0323\u0307 q\u0307\u0323 \u1e0b\u0323 \uac00 \u1100\u1161\u11a8",
    "Привет, мир! Γειά σου שָׁלוֹם مرحبا नमस्ते สวัสดี 你好，世界。こんにちは 안녕하세요",
    "😀 👨\u200d👩\u200d👧 🏳️\u200d🌈 🇩🇪 \U0001fae8",
    "zero\x00byte \x7f \x01\x02",
    "for (int i = 0; i < n; i++) { a[i] += b[i]; }  // comment",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "                                                                 x",
    "<|endoftext|> <|im_start|>user<|im_end|><|endoftext|><|begin_of_text|>x<|eot_id|> <|endof",
    "\u0897\u1c89\U0001e5d0 \U00016d40x \U00031350\U0002ebf0 \U00010d40\U00011de0 \U0001cc00",
    "...!?---*** == => != <<>> “quotes” ‘single’ «g» £5 €6 ™",
    "http://example.org/a_b-c?d=e&f=%20#g user@host.example",
    "\U0010ffff \ufffd \ufffe \ue000",
    "\uac00\u11a7 \u1ac1\u0301 \U00011935\U00011930 \u1100\u1161 \u0344\u0315\u0300\u05ae\u0301",
]


SPLIT_STRINGS = STRINGS + [
    "ﬁve Ａ１２ ℂ Ωmega ÀÉ ǅ ᲐᲺ 𐐀𐑏 𞤀 ᏸ Ꭰ",
    " ,. ？！ 、。 ‘’ “” ～ $+<=> ^`| ~",
    "x\r\ny \n z  \n\n  w \t\t\n",
    "漢字かな交じり文 한국어 텍스트 ไทย १२ 3.14159 0xFF 1e-9 ²³ ⅷ",
    "DON'T Don't don't 'em y'all 'Tis we'Re I'Ve",
    "trailing spaces   ",
    "e\u0301e\u0301 A\u030a \u1100\u1161 no\u0308el",
    "def f(x):\n\treturn x[1:]  # ok\n\n\nclass A: pass",
]


def metadata(path):
    reader = gguf.GGUFReader(path)

    def get(key):
        return reader.fields[key].contents() if key in reader.fields else None

    return get


def merges_of_scores(tokens, scores, types):
    """Every cut of a piece into two pieces, in order of the piece's score."""
    ids = {token: i for i, token in enumerate(tokens) if types[i] in (1, 4)}
    rows = []
    for token, i in ids.items():
        for k in range(1, len(token)):
            left, right = ids.get(token[:k]), ids.get(token[k:])
            if left is not None and right is not None:
                rows.append((-scores[i], left, right))
    return [(tokens[left], tokens[right]) for _, left, right in sorted(rows)]


def tokenizer_of_llama(get):
    tokens, types = get("tokenizer.ggml.tokens"), get("tokenizer.ggml.token_type")
    merges = merges_of_scores(tokens, get("tokenizer.ggml.scores"), types)
    vocab = {token: i for i, token in enumerate(tokens)}
    made = Tokenizer(
        models.BPE(vocab=vocab, merges=merges, byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    )
    made.normalizer = norm.Sequence([norm.Prepend("\u2581"), norm.Replace(" ", "\u2581")])
    special = [t for i, t in enumerate(tokens) if types[i] in (2, 3) and t != f"[PAD{i}]"]
    made.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    made.add_tokens(
        [AddedToken(t, normalized=False) for i, t in enumerate(tokens) if types[i] == 4]
    )
    return made


def tokenizer_of_model(model_bytes, config):
    """Llama's tokenizer.model as transformers 4 reads it for the class LlamaTokenizer."""
    model = sentencepiece.SentencePieceProcessor(model_proto=model_bytes)
    spaced = config.get("add_prefix_space", True)
    tokens = [model.id_to_piece(i) for i in range(model.vocab_size())]
    scores = [model.get_score(i) for i in range(len(tokens))]
    special = [model.is_control(i) or model.is_unknown(i) for i in range(len(tokens))]
    merges = merges_of_scores(tokens, scores, [3 if s else 1 for s in special])
    vocab = {token: i for i, token in enumerate(tokens)}
    unknown = tokens[model.unk_id()]
    made = Tokenizer(
        models.BPE(vocab=vocab, merges=merges, byte_fallback=True, fuse_unk=True, unk_token=unknown)
    )
    if config.get("legacy", True):
        front = [norm.Prepend("\u2581")] if spaced else []
        made.normalizer = norm.Sequence([*front, norm.Replace(" ", "\u2581")])
    else:
        scheme = "first" if spaced else "never"
        made.pre_tokenizer = pre.Metaspace(prepend_scheme=scheme, split=False)
    named = [token for token, is_special in zip(tokens, special, strict=True) if is_special]
    made.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in named])
    return made


def tokenizer_of_unigram(path):
    """A Unigram tokenizer.model as transformers writes it into a tokenizer.json."""
    model = sentencepiece.SentencePieceProcessor(model_proto=Path(path).read_bytes())
    vocab = [(model.id_to_piece(i), model.get_score(i)) for i in range(model.vocab_size())]
    made = Tokenizer(models.Unigram(vocab=vocab, unk_id=model.unk_id(), byte_fallback=False))
    made.normalizer = norm.Sequence(
        [
            norm.Precompiled(charsmap_of(Path(path).read_bytes())),
            norm.Strip(left=False, right=True),
            norm.Replace(Regex(" {2,}"), "\u2581"),
        ]
    )
    made.pre_tokenizer = pre.Metaspace()
    named = [vocab[i][0] for i in range(len(vocab)) if model.is_control(i) or model.is_unknown(i)]
    made.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in named])
    return made


def fields_of(message):
    """(number, value) of a protocol buffer message; values of length are bytes."""

    def number(at):
        value = shift = 0
        while True:
            byte = message[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at

    at = 0
    while at < len(message):
        tag, at = number(at)
        if tag & 7 == 2:
            size, at = number(at)
            yield tag >> 3, message[at : at + size]
            at += size
        elif tag & 7 == 0:
            value, at = number(at)
            yield tag >> 3, value
        else:
            size = 4 if tag & 7 == 5 else 8
            yield tag >> 3, message[at : at + size]
            at += size


def charsmap_of(model):
    """ModelProto.normalizer_spec.precompiled_charsmap"""
    specs = (value for number, value in fields_of(model) if number == 3)
    return next(v for spec in specs for n, v in fields_of(spec) if n == 2)


def tokenizer_of_gguf(path):
    get = metadata(path)
    if get("tokenizer.ggml.model") == "llama":
        return tokenizer_of_llama(get)
    tokens, types = get("tokenizer.ggml.tokens"), get("tokenizer.ggml.token_type")
    normalizer, stages, ignore_merges = CUTS[get("tokenizer.ggml.pre") or ""]
    real = [i for i, token in enumerate(tokens) if token != f"[PAD{i}]"]
    merges = [tuple(merge.split(" ")) for merge in get("tokenizer.ggml.merges")]
    made = Tokenizer(
        models.BPE(
            vocab={tokens[i]: i for i in real},
            merges=merges,
            ignore_merges=ignore_merges,
        )
    )
    if normalizer:
        made.normalizer = normalizer
    made.pre_tokenizer = pre.Sequence(stages)
    made.add_special_tokens(
        [AddedToken(tokens[i], special=True, normalized=False) for i in real if types[i] in (2, 3)]
    )
    made.add_tokens([AddedToken(tokens[i], normalized=True) for i in real if types[i] == 4])
    return made


def ids_of(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


def digest(ids):
    return hashlib.sha256(struct.pack(f"<{len(ids)}I", *ids)).hexdigest()


# ---- variants of a tiny tokenizer ----


def train_base():
    """A byte-level BPE with few merges, so that ids show where a text was cut."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=420, initial_alphabet=pre.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(["\n".join(STRINGS) * 2] * 3, trainer)
    return json.loads(tokenizer.to_str())


def added(content, **flags):
    token = {
        "id": 0,
        "content": content,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": True,
        "special": False,
    }
    return {**token, **flags}


BYTES = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": False,
}


def sequence(*stages):
    return {"type": "Sequence", "pretokenizers": [*stages, BYTES]}


def split_stage(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {
        "type": "Split",
        "pattern": {kind: pattern},
        "behavior": behavior,
        "invert": invert,
    }


REGEXES = [
    LLAMA3,
    QWEN2,
    r"[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|\p{N}{1,3}|\s+",
    r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
    r"[一-龥ࠀ-一가-퟿]+",
    r"\s+$",
    r"^\w+",
    r"\b",
    r"\w+|[^\w\s]+",
    r"[\w]",
    r"\W+",
    r"[^\S\n]+",
    r"[\S&&[^a-z]]+",
    r"[a-z&&[^aeiou]]+",
    r"[^a[b-e]\d]+",
    r"a{2}+|l{,2}o",
    r"(?<=\d)\d(?!\d)",
    r"(?m:e.)",
    r"\h+|\p{^L}\p{Han}*",
    r"x*",
    r"[\x20\u0041-\u005A\x{3b1}-\x{3c9}\-\]]+",
    r"(?i)[k-s]+",
    r"\p{P}|\p{S}|\p{M}+|\p{Nd}|\p{No}|\p{Zs}",
    r"\s\Z|\s\z|\A.",
]


BEHAVIORS = ["Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous", "Isolated"]


def variants():
    for regex in REGEXES:
        yield {"name": regex, "pre_tokenizer": sequence(split_stage(regex))}
    for behavior in BEHAVIORS:
        for invert in (False, True):
            stage = split_stage(r"\p{P}|l", behavior, invert)
            yield {"name": f"{behavior} {invert}", "pre_tokenizer": sequence(stage)}
    yield {
        "name": "String",
        "pre_tokenizer": sequence(split_stage("++", "Removed", kind="String")),
    }
    for flag in (False, True):
        digits = {"type": "Digits", "individual_digits": flag}
        yield {"name": f"Digits {flag}", "pre_tokenizer": sequence(digits)}
        cut = {**BYTES, "use_regex": True, "add_prefix_space": flag}
        yield {"name": f"ByteLevel {flag}", "pre_tokenizer": cut}
        yield {
            "name": f"Digits, ByteLevel {flag}",
            "pre_tokenizer": sequence(digits, cut),
        }
    for invert in (False, True):
        stage = split_stage("l", "MergedWithNext", invert, "String")
        yield {"name": f"String {invert}", "pre_tokenizer": sequence(stage)}
    yield {"name": "trim_offsets", "pre_tokenizer": {**BYTES, "trim_offsets": False}}
    for behavior in BEHAVIORS:
        stage = {"type": "Punctuation", "behavior": behavior}
        yield {"name": f"Punctuation {behavior}", "pre_tokenizer": sequence(stage)}
    yield {"name": "Whitespace", "pre_tokenizer": sequence({"type": "Whitespace"})}
    yield {
        "name": "WhitespaceSplit",
        "pre_tokenizer": sequence({"type": "WhitespaceSplit"}),
    }
    yield {"name": "nothing", "pre_tokenizer": None}
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        yield {"name": form, "normalizer": {"type": form}}
    yield {
        "name": "normalizers",
        "normalizer": {
            "type": "Sequence",
            "normalizers": [{"type": "NFD"}, {"type": "NFKC"}],
        },
    }
    tokens = [
        added("<|endoftext|>", special=True, normalized=False),
        added("<|endof", normalized=False),
        added("Å", rstrip=True),
        added("user", single_word=True),
        added("world", lstrip=True, rstrip=True, special=True, normalized=False),
        added("  ", normalized=False),
        added("in", single_word=True, normalized=False, lstrip=True),
        added("indented", normalized=False),
        added("ﬁ"),
        added("e\u0301", normalized=True, rstrip=True),
    ]
    yield {"name": "added tokens", "added_tokens": tokens}
    yield {
        "name": "added tokens, NFKC",
        "added_tokens": tokens,
        "normalizer": {"type": "NFKC"},
    }
    model = {"byte_fallback": True, "unk_token": "!", "fuse_unk": True}
    yield {"name": "unknown, fused", "pre_tokenizer": None, "model": model}
    yield {"name": "unknown", "pre_tokenizer": None, "model": {"unk_token": "!"}}
    yield {"name": "ignore_merges", "model": {"ignore_merges": True}}


def merge_parts(base, variant):
    parts = {key: value for key, value in variant.items() if key not in ("name", "model")}
    return {**base, **parts, "model": {**base["model"], **variant.get("model", {})}}


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=True, indent=0, sort_keys=True) + "\n")


def make_variants(folder):
    base = train_base()
    base["post_processor"] = base["decoder"] = None
    rows = []
    for variant in variants():
        tokenizer = Tokenizer.from_str(json.dumps(merge_parts(base, variant)))
        ids = [" ".join(map(str, ids_of(tokenizer, text))) for text in STRINGS]
        rows.append({**variant, "ids": ids})
    write_json(folder / "variants.json", {"base": base, "texts": STRINGS, "variants": rows})


# ---- SentencePiece ----

MODELS = {
    "bpe": {
        "model_type": "bpe",
        "normalization_rule_name": "identity",
        "byte_fallback": True,
        "remove_extra_whitespaces": False,
        "vocab_size": 600,
    },
    "unigram": {
        "model_type": "unigram",
        "normalization_rule_name": "identity",
        "user_defined_symbols": ["<sep>"],
        "vocab_size": 330,
    },
}


def train_sentencepiece(settings):
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for text in STRINGS for line in text.split("\n")] * 3),
        model_writer=written,
        hard_vocab_limit=False,
        minloglevel=2,
        **settings,
    )
    return written.getvalue()


def charsmap(keys, contents):
    """A double array of letters: each with a place among the contents."""
    units = [0] * 512
    units[0] = 256 << 10
    for i, (key, value) in enumerate(keys.items()):
        node, base = 256 ^ ord(key), 384 + 16 * i
        units[node] = base << 10 | 1 << 8 | ord(key)
        units[node ^ base] = value | 1 << 31
    trie = struct.pack("<512I", *units)
    return struct.pack("<I", len(trie)) + trie + contents


def small_charsmap():
    """J becomes "the", Q becomes a space."""
    return charsmap({"J": 0, "Q": 4}, b"the\0 \0")


def silent_charsmap():
    """J becomes "the", X and Q become nothing."""
    return charsmap({"J": 0, "Q": 3, "X": 3}, b"the\0")


def field(number, value):
    """A protocol buffer field of bytes."""
    size = []
    n = len(value)
    while n > 0x7F:
        size.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([number << 3 | 2, *size, n]) + value


def make_sentencepiece(folder):
    texts = [text for text in STRINGS if "<|" not in text] + ["J  QaQ Q Jb", "a <sep b>"]
    models = []
    for name, settings in MODELS.items():
        model = train_sentencepiece(settings)
        if name == "unigram":
            # Of a message that is there twice the fields of both count.
            model += field(3, field(2, small_charsmap()))
        made = sentencepiece.SentencePieceProcessor(model_proto=model)
        ids = [" ".join(map(str, made.encode(text))) for text in texts]
        models.append({"name": name, "bytes": model.hex(), "ids": ids})
    llama = make_llama_folders(bytes.fromhex(models[0]["bytes"]), texts)
    rows = {"texts": texts, "models": models, "llama": llama}
    write_json(folder / "sentencepiece.json", rows)


def make_llama_folders(model, texts):
    """The first model beside a tokenizer_config.json that names the class LlamaTokenizer."""
    rows = []
    texts = [*texts, "<s>a <s> b</s>  c", "  two  spaces  "]
    for legacy in (None, True, False):
        for spaced in (None, False):
            config = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>"}
            config |= {} if legacy is None else {"legacy": legacy}
            config |= {} if spaced is None else {"add_prefix_space": spaced}
            made = tokenizer_of_model(model, config)
            ids = [" ".join(map(str, ids_of(made, text))) for text in texts]
            rows.append({"config": config, "ids": ids})
    return {"texts": texts, "rows": rows}


def unigram_variants():
    for scheme in ("always", "first", "never"):
        for cuts in (True, False):
            stage = metaspace(prepend_scheme=scheme, split=cuts)
            yield {"name": f"{scheme} {cuts}", "pre_tokenizer": stage}
    yield {"name": "old Metaspace", "pre_tokenizer": {**metaspace(), "add_prefix_space": True}}
    words = {"type": "WhitespaceSplit"}
    for scheme in ("always", "first", "never"):
        behind = {"type": "Sequence", "pretokenizers": [words, metaspace(prepend_scheme=scheme)]}
        for name, normalizer in fronts().items():
            yield {
                "name": f"{name}, WhitespaceSplit, {scheme}",
                "normalizer": normalizer,
                "pre_tokenizer": behind,
            }
    yield {"name": "replacement", "pre_tokenizer": {**metaspace(), "replacement": "_"}}
    for kind in ("Lowercase", "StripAccents"):
        yield {"name": kind, "normalizer": {"type": kind}}
    for left in (False, True):
        for right in (False, True):
            strip = {"type": "Strip", "strip_left": left, "strip_right": right}
            yield {"name": f"Strip {left} {right}", "normalizer": strip}
    yield {"name": "Prepend", "normalizer": {"type": "Prepend", "prepend": "in"}}
    replace = {"type": "Replace", "pattern": {"Regex": "\\s*[lo]"}, "content": "b"}
    yield {"name": "Replace", "normalizer": replace}
    replace = {"type": "Replace", "pattern": {"String": "e\u0301"}, "content": ""}
    yield {"name": "Replace String", "normalizer": replace}
    yield {
        "name": "NFD, StripAccents, Lowercase",
        "normalizer": chain({"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}),
    }
    yield {
        "name": "Prepend, Replace",
        "normalizer": chain(
            {"type": "Prepend", "prepend": "\u2581"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
            {"type": "Replace", "pattern": {"Regex": "[0-9]{2,}"}, "content": "$0"},
        ),
        "pre_tokenizer": None,
    }
    mapping = base64.b64encode(small_charsmap()).decode()
    yield {
        "name": "Precompiled",
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": mapping},
    }
    yield {"name": "byte_fallback", "model": {"byte_fallback": True}}


def fronts():
    """What normalizers may do to the beginning of a text."""
    mapping = base64.b64encode(small_charsmap()).decode()
    silent = base64.b64encode(silent_charsmap()).decode()
    spaces = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "a "}
    return {
        "nothing": None,
        "Precompiled": {"type": "Precompiled", "precompiled_charsmap": mapping},
        "Precompiled to nothing": {"type": "Precompiled", "precompiled_charsmap": silent},
        "Strip": {"type": "Strip", "strip_left": True, "strip_right": False},
        "Prepend": {"type": "Prepend", "prepend": "a b"},
        "Replace": chain(spaces, {"type": "NFKD"}),
    }


def chain(*normalizers):
    return {"type": "Sequence", "normalizers": normalizers}


def metaspace(**settings):
    return {"type": "Metaspace", "replacement": "\u2581", **settings}


def make_unigram(folder):
    made = sentencepiece.SentencePieceProcessor(model_proto=train_sentencepiece(MODELS["unigram"]))
    vocab = [[made.id_to_piece(i), made.get_score(i)] for i in range(made.vocab_size())]
    vocab += [[f"<0x{byte:02X}>", 0.0] for byte in range(256)]
    base = train_base()
    base["post_processor"] = base["decoder"] = None
    base["pre_tokenizer"] = metaspace()
    base["model"] = {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": False}
    base["added_tokens"] = [{**added("<|endoftext|>", special=True, normalized=False)}]
    texts = [*STRINGS, "J J\u0301Q \u0600J", "XXin in", "Q\u0301 X\u0301\u0301\u0301J", "XQ J"]
    rows = []
    for variant in unigram_variants():
        tokenizer = Tokenizer.from_str(json.dumps(merge_parts(base, variant)))
        ids = [" ".join(map(str, ids_of(tokenizer, text))) for text in texts]
        rows.append({**variant, "ids": ids})
    write_json(folder / "unigram.json", {"base": base, "texts": texts, "variants": rows})


# ---- names of pre-tokenizers in GGUF files ----


def make_gguf_splits(folder):
    """The tiny tokenizer of variants.json as a GGUF vocabulary, under each name."""
    base = json.loads((folder / "variants.json").read_text())["base"]
    rows = {}
    for name, (normalizer, stages, ignore_merges) in CUTS.items():
        made = Tokenizer.from_str(json.dumps({**base, "added_tokens": [], "pre_tokenizer": None}))
        made.model.ignore_merges = ignore_merges
        if normalizer:
            made.normalizer = normalizer
        made.pre_tokenizer = pre.Sequence(stages)
        rows[name] = [" ".join(map(str, ids_of(made, text))) for text in SPLIT_STRINGS]
    write_json(folder / "gguf_splits.json", {"texts": SPLIT_STRINGS, "ids": rows})


# ---- real vocabularies ----


def make_strings(folder, vocabularies):
    rows = {
        name: [" ".join(map(str, ids_of(tokenizer, text))) for text in STRINGS]
        for name, tokenizer in vocabularies.items()
    }
    write_json(folder / "strings.json", {"texts": STRINGS, "ids": rows})


def make_corpus(folder, vocabularies, shared):
    lines = [
        "# vocabulary, file (whole), number of ids, sha256; by tokenizers " + tokenizers.__version__
    ]
    for name, tokenizer in vocabularies.items():
        for file in ("wikitext-2-valid.txt", "pile_text.jsonl"):
            text = (shared / "data" / "corpus" / file).read_bytes().decode()
            ids = ids_of(tokenizer, text)
            lines.append(f"{name}\t{file}\t{len(ids)}\t{digest(ids)}")
    (folder / "corpus.tsv").write_text("\n".join(lines) + "\n")


def print_additions():
    names = [
        "Lu",
        "Ll",
        "Lt",
        "Lm",
        "Lo",
        "Mn",
        "Mc",
        "Me",
        "Nd",
        "Nl",
        "No",
        "Pc",
        "Pd",
    ]
    names += ["Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Cf"]
    points = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
    new = [c for c in points if unicodedata.category(chr(c)) == "Cn"]
    found = {}
    for name in names:
        removes = pre.Split(Regex("\\p{" + name + "}"), "removed")
        found.update({c: name for c in new if not removes.pre_tokenize_str(chr(c))})
    rows = []
    for c in sorted(found):
        if rows and rows[-1][1] == c - 1 and rows[-1][2] == found[c]:
            rows[-1][1] = c
        else:
            rows.append([c, c, found[c]])
    for first, last, name in rows:
        print(f'ADDED(0x{first:04X}, 0x{last:04X}, "{name}")')


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--model", type=Path, help="the demo's GGUF file (vocabulary smollm)")
    parser.add_argument("--out", type=Path, default=Path("tests/data/token"))
    parser.add_argument("--additions", action="store_true")
    options = parser.parse_args()
    if options.additions:
        print_additions()
        return
    options.out.mkdir(parents=True, exist_ok=True)
    make_variants(options.out)
    make_gguf_splits(options.out)
    make_unigram(options.out)
    make_sentencepiece(options.out)
    paths = {
        name: options.shared / "data" / "vocab" / "gguf" / f"ggml-vocab-{name}.gguf"
        for name in (
            "gpt-2",
            "llama-bpe",
            "starcoder",
            "falcon",
            "qwen2",
            "gpt-neox",
            "llama-spm",
            "phi-3",
        )
    }
    if options.model:
        paths["smollm"] = options.model
    vocabularies = {name: tokenizer_of_gguf(path) for name, path in paths.items()}
    make_strings(options.out, vocabularies)
    make_corpus(options.out, vocabularies, options.shared)


if __name__ == "__main__":
    main()
