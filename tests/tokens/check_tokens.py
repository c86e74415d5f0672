"""Ids of `lmdepth tokenize` against Hugging Face's tokenizers and against SentencePiece: over the
texts of fetch_texts.sh, and over random strings. Every difference is an error.

    python3 tests/tokens/check_tokens.py --lmdepth build/lmdepth --texts build/token-texts \
        --shared ../shared --strings 200000 [--model smollm.gguf] [--only NAME ...]

Vocabularies: those of SHARED/data/vocab; for the GGUF files the tokenizer that tests/reference/
make_token_references.py builds of their pieces and merges; the demo's model; Llama 2's folder as
transformers 4 reads it; and a Unigram model trained on the texts, as a tokenizer.model and as a
tokenizer.json. Those of the GGUF files are also written as a tokenizer.json and read from that,
with a tenth of the strings.
"""

import argparse
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reference"))

import sentencepiece
from token_fuzz import Fuzz
from token_texts import scripts, sources
from tokenizers import Tokenizer

import make_token_references as references

CHUNK = 2000


class Vocabulary:
    """A tokenizer of lmdepth (a path) and the one it is held against."""

    def __init__(self, name, path, reference, specials=(), pieces=()):
        self.name, self.path, self.reference = name, path, reference
        self.is_copy = False  # of one that has had all its strings
        self.specials, self.pieces = list(specials), list(pieces)

    def ids(self, texts):
        if isinstance(self.reference, Tokenizer):
            made = self.reference.encode_batch_fast(texts, add_special_tokens=False)
            return [encoding.ids for encoding in made]
        return self.reference.encode(texts)


def of_tokenizer(name, path, tokenizer):
    added = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    ids = random.Random(0).sample(range(tokenizer.get_vocab_size()), 4000)
    pieces = [tokenizer.decode([i], skip_special_tokens=False) for i in ids]
    return Vocabulary(name, path, tokenizer, added, [p for p in pieces if p])


def of_sentencepiece(name, path, model):
    ids = random.Random(0).sample(range(model.vocab_size()), 4000)
    control = [i for i in ids if model.is_control(i) or model.is_unknown(i)]
    pieces = [model.id_to_piece(i).replace("\u2581", " ") for i in ids if i not in control]
    return Vocabulary(name, path, model, (), pieces)


# ---- the vocabularies ----


def gguf_files(options):
    folder = options.shared / "data" / "vocab" / "gguf"
    files = {path.stem.removeprefix("ggml-vocab-"): path for path in folder.glob("*.gguf")}
    if options.model:
        files["smollm"] = options.model
    return dict(sorted(files.items()))


def llama2_folder(work, model, name, config):
    folder = work / name
    folder.mkdir()
    shutil.copyfile(model, folder / "tokenizer.model")
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def llama2(options, work):
    model = options.shared / "data" / "vocab" / "llama2" / "tokenizer.model"
    yield of_sentencepiece(
        "llama2 tokenizer.model", model, sentencepiece.SentencePieceProcessor(str(model))
    )
    for legacy in (True, False):
        config = {"tokenizer_class": "LlamaTokenizer", "legacy": legacy}
        name = f"llama2 LlamaTokenizer legacy={str(legacy).lower()}"
        folder = llama2_folder(work, model, name.replace(" ", "-"), config)
        made = references.tokenizer_of_model(model.read_bytes(), config)
        yield of_tokenizer(name, folder, made)


def train_unigram(texts, work):
    lines = [line for text in texts for line in text.split("\n") if line.strip()]
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(random.Random(0).sample(lines, min(len(lines), 30000))),
        model_writer=written,
        model_type="unigram",
        vocab_size=16000,
        character_coverage=0.999,
        minloglevel=2,
        num_threads=1,
    )
    path = work / "unigram.model"
    path.write_bytes(written.getvalue())
    return path


def unigram(texts, work):
    path = train_unigram(texts, work)
    model = sentencepiece.SentencePieceProcessor(str(path))
    yield of_sentencepiece("Unigram tokenizer.model", path, model)
    file = work / "unigram.json"
    references.tokenizer_of_unigram(path).save(str(file))
    # As read back: its decimal fractions lose last bits on the way, which decides ties.
    yield of_tokenizer("Unigram tokenizer.json", file, Tokenizer.from_file(str(file)))


def vocabularies(options, texts, work):
    for name, path in gguf_files(options).items():
        made = references.tokenizer_of_gguf(path)
        yield of_tokenizer(f"{name} GGUF", path, made)
        file = work / f"{name}.json"
        made.save(str(file))
        copy = of_tokenizer(f"{name} tokenizer.json", file, made)
        copy.is_copy = True
        yield copy
    yield from llama2(options, work)
    yield from unigram(texts, work)


# ---- comparing ----


def run_lmdepth(program, path, texts, work):
    """One list of ids a text."""
    with (work / "texts").open("w") as file:
        file.writelines(json.dumps(text, ensure_ascii=False) + "\n" for text in texts)
    with (work / "texts").open("rb") as given, (work / "ids").open("wb") as found:
        subprocess.run(
            [program, "tokenize", str(path), "--json", "--bos", "never"],
            stdin=given,
            stdout=found,
            check=True,
        )
    with (work / "ids").open() as file:
        return [line.strip() for line in file]


def compare(options, vocabulary, texts, work):
    """The texts whose ids differ."""
    found = run_lmdepth(options.lmdepth, vocabulary.path, texts, work)
    if len(found) != len(texts):
        sys.exit(f"{vocabulary.name}: {len(found)} lines of ids for {len(texts)} texts")
    wrong, count = [], 0
    for start in range(0, len(texts), CHUNK):
        some = texts[start : start + CHUNK]
        for text, ids, line in zip(some, vocabulary.ids(some), found[start:], strict=False):
            count += len(ids)
            if " ".join(map(str, ids)) != line:
                wrong.append((text, ids, line))
    for text, ids, line in wrong[:3]:
        print(f"  {text[:200]!r}\n    reference {ids[:60]}\n    lmdepth   {line[:300]}")
    return len(wrong), count


def blocks(text, source):
    """Pieces of one line, some lines, or many, as a record may be."""
    lines = text.splitlines(keepends=True)
    at = 0
    while at < len(lines):
        n = source.choice([1, 1, 3, 10, 40, 300])
        yield "".join(lines[at : at + n])
        at += n


def long_words(lines, source):
    """Words of many thousand characters, of one alphabet each or natural text without spaces."""
    sets = ["a", "ab", "7", "0123456789", "abcdefghijklmnopqrstuvwxyz", "字", "你好世界", "!?", " "]
    yield from (letters * (20000 // len(letters)) for letters in sets)
    yield from ("".join(source.choices(letters, k=20000)) for letters in sets)
    for _ in range(6):
        start = source.randrange(len(lines) - 2000)
        yield "".join("".join(lines[start : start + 2000]).split())[:60000]


def check(options, vocabulary, texts, lines, work):
    began = time.monotonic()
    words = list(long_words(lines, random.Random(options.seed)))
    n_wrong, n_ids = compare(options, vocabulary, texts + words, work)
    fuzz = Fuzz(f"{options.seed} {vocabulary.name}", lines, vocabulary.specials, vocabulary.pieces)
    done, n_wrong_strings = 0, 0
    wanted = options.strings // (10 if vocabulary.is_copy else 1)
    while done < wanted:
        n = min(50000, wanted - done)
        strings = [fuzz.text() for _ in range(n)]
        n_wrong_strings += compare(options, vocabulary, strings, work)[0]
        done += n
    print(
        f"{vocabulary.name}: {len(texts) + len(words)} texts, {n_ids} ids, {n_wrong} differ; "
        f"{done} strings, {n_wrong_strings} differ ({time.monotonic() - began:.0f} s)",
        flush=True,
    )
    return n_wrong + n_wrong_strings


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lmdepth", default="build/lmdepth")
    parser.add_argument("--texts", type=Path, default=Path("build/token-texts"))
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--model", type=Path, help="the demo's GGUF file (vocabulary smollm)")
    parser.add_argument("--strings", type=int, default=200000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="names, or parts of them")
    return parser.parse_args()


def main():
    options = parse()
    all_texts = [text for _, text in sources(options.texts)]
    source = random.Random(options.seed)
    texts = [block for text in all_texts for block in blocks(text, source)]
    lines = [line for text in all_texts for line in text.split("\n") if line]
    n_scripts = sum(n >= 1000 for n in scripts(all_texts).values())
    size = sum(len(text.encode()) for text in texts)
    print(f"{size} bytes of text, {n_scripts} scripts with 1000 letters and more")
    wrong = 0
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for vocabulary in vocabularies(options, all_texts, Path(folder)):
            if options.only and not any(word in vocabulary.name for word in options.only):
                continue
            wrong = check(options, vocabulary, texts, lines, Path(folder))
            passed, failed = passed + (wrong == 0), failed + (wrong != 0)
    print(f"tokens: {passed} passed, {failed} failed, 0 skipped")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
