"""Room token against Hugging Face's tokenizers, one thread each, the same lines, turn about; and
the time of one word of 1 and of 10 MB.

    python3 tests/tokens/time_tokens.py --program build/tests/tokens/time_tokens \
        --texts build/token-texts --shared ../shared [--repetitions 5]

tokenizers runs encode_batch_fast, its fastest way (no offsets), with TOKENIZERS_PARALLELISM=false.
Seconds are of the processor, so that others on the machine disturb less.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"

from check_tokens import references, train_unigram
from token_texts import sources

SIZE = 24_000_000
CHUNK = 1000
WORDS = {"a": "a", "abc...z": "abcdefghijklmnopqrstuvwxyz", "7": "7", "1234567890": "1234567890"}
WORDS |= {"space": " ", "字": "字", "你好世界": "你好世界", "ab ": "ab ", "!": "!"}


def run(program, path, text, repetitions=1):
    """Seconds of each repetition, and the number of ids."""
    out = subprocess.run(
        [program, str(path), str(text), str(repetitions)],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    rows = [line.split() for line in out.splitlines()]
    return [float(seconds) for seconds, _ in rows], int(rows[-1][1])


def time_reference(tokenizer, lines):
    began, count = time.process_time(), 0
    for start in range(0, len(lines), CHUNK):
        made = tokenizer.encode_batch_fast(lines[start : start + CHUNK], add_special_tokens=False)
        count += sum(map(len, made))
    return time.process_time() - began, count


def compare_speed(options, name, path, tokenizer, file, lines):
    ours, theirs = [], []
    for _ in range(options.repetitions):
        seconds, n_ours = run(options.program, path, file)
        ours += seconds
        seconds, n_theirs = time_reference(tokenizer, lines)
        theirs.append(seconds)
    assert n_ours == n_theirs, f"{name}: {n_ours} ids and {n_theirs}"
    size = file.stat().st_size / 1e6
    a, b = statistics.median(ours), statistics.median(theirs)
    print(
        f"{name}: {n_ours} ids; lmdepth {a:.2f} s ({size / a:.1f} MB/s), "
        f"tokenizers {b:.2f} s ({size / b:.1f} MB/s), {b / a:.2f} times as fast",
        flush=True,
    )
    return a <= b


def compare_sizes(options, name, path):
    worst = 0
    for label, word in WORDS.items():
        small, large = (
            min(run(options.program, path, f"{size}:{word}", 3)[0]) for size in (10**6, 10**7)
        )
        worst = max(worst, large / small)
        print(f"{name}, {label}: 1 MB {small:.3f} s, 10 MB {large:.3f} s, {large / small:.1f}")
    return worst


def vocabularies(options, texts, work):
    folder = options.shared / "data" / "vocab" / "gguf"
    for name in ("gpt-2", "llama-bpe", "qwen2", "llama-spm"):
        path = folder / f"ggml-vocab-{name}.gguf"
        yield name, path, references.tokenizer_of_gguf(path)
    made = references.tokenizer_of_unigram(train_unigram(texts, work))
    made.save(str(work / "unigram.json"))
    yield "Unigram", work / "unigram.json", made


def text_of(texts, kind, size):
    """So many bytes of lines: English prose and code, or all the texts."""
    english = [text for name, text in texts.items() if kind in name or kind == "all"]
    lines = [line for text in english for line in text.split("\n") if line.strip()]
    whole = "\n".join(lines) + "\n"
    return (whole * (size // len(whole.encode()) + 1)).encode()[:size].decode("utf-8", "ignore")


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--program", default="build/tests/tokens/time_tokens")
    parser.add_argument("--texts", type=Path, default=Path("build/token-texts"))
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--kinds", nargs="*", default=["all", "guide en"])
    parser.add_argument("--no-sizes", action="store_true")
    return parser.parse_args()


def main():
    options = parse()
    texts = dict(sources(options.texts))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name, path, tokenizer in vocabularies(options, texts.values(), work):
            if options.only and name not in options.only:
                continue
            for kind in options.kinds:
                file = work / "text"
                text = text_of(texts, kind, options.size)
                file.write_bytes(text.encode())
                lines = text.split("\n")
                compare_speed(options, f"{name}, {kind}", path, tokenizer, file, lines)
            if not options.no_sizes:
                compare_sizes(options, name, path)


if __name__ == "__main__":
    main()
