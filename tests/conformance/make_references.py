#!/usr/bin/env python3
"""References of the conformance suite, from transformers in fp32. Needs torch, transformers and
tokenizers, and numpy; run.py needs only what this writes, which is kept.

    make_references.py FOLDER [ROW...]

For each row of table.py a folder FOLDER/<row>: reference.safetensors (input_ids; of some
positions, rows, every state before the final norm and the logits), the corpus of a small job
(corpus.ids or corpus.jsonl) and its counters (job.npz; tests/reference/make_job_reference.py
counts, which shares nothing with the program). transformers reads the model from every
container that the row has and it can read, and must find the same values in each.

States are taken where a block's input comes in, and the last where the final norm's does: this
is the residual stream of every family, whatever hidden_states calls it (method 1.1).

Printed, and held to limits: how the rows' distributions spread. A model whose lens always
says the same, or is always sure, would let faults pass.
"""

import argparse
import json
import pathlib
import sys
import tempfile

import numpy
import safetensors.torch
import tokenizers
import torch
import transformers

import containers
import jobs
import table
import weights

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "reference"), str(TESTS / "python")]

import make_job_reference as counting
from make_tiny_model import tokenizer as byte_tokenizer

KEPT_ROWS = 8  # positions whose states and logits are kept
RECORDS = 14
LEAST_MARGIN = counting.TIE_MARGIN
LARGEST = 300_000  # bytes of a row's files
OWN_ERROR = 2e-5  # of fp32 against fp64: what the reference itself may be off by
NATS = (1.0, 3.0)  # the entropies of a row's job reach below and above
MOVED = 0.3  # share of guesses that a block changes, at least, on the average

PATHS = {
    "gpt2": ("transformer.h", "transformer.ln_f"),
    "gpt_neox": ("gpt_neox.layers", "gpt_neox.final_layer_norm"),
    "mamba": ("backbone.layers", "backbone.norm_f"),
}
DEFAULT_PATHS = ("model.layers", "model.norm")


# ---- the model as transformers has it ----


def load(folder):
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    # A tied head is no key of its own; buffers of old conversions are not expected.
    assert not report["missing_keys"], report
    assert not report["mismatched_keys"], report
    allowed = ("attn.bias", "masked_bias", "inv_freq")
    assert all(key.endswith(allowed) for key in report["unexpected_keys"]), report
    return model.eval()


def same_values(model, row, tensors):
    """Does the model hold exactly these values?"""
    state = model.state_dict()
    # transformers 5 has a new name for GPT-NeoX's head; files keep the old one.
    ours = {name.replace("embed_out.", "lm_head."): values for name, values in tensors.items()}
    names = {name for name, _ in model.named_parameters()}
    assert names == set(ours), names ^ set(ours)
    return all(numpy.array_equal(state[name].numpy(), ours[name]) for name in names)


def load_all(row, tensors, folder):
    """The model, from every container that transformers reads; all must agree."""
    model = None
    for container in row.containers:
        if container.startswith("gguf"):
            continue  # transformers reads few of them; the test holds them to the same reference
        inside = folder / container
        inside.mkdir()
        containers.write(inside, row, tensors, container)
        model = load(inside)
        assert same_values(model, row, tensors), container
    return model


class Prober:
    """Runs a model and keeps the residual stream."""

    def __init__(self, model, family):
        blocks, norm = PATHS.get(family, DEFAULT_PATHS)
        self.model, self.norm = model, model.get_submodule(norm)
        self.blocks = model.get_submodule(blocks)
        self.kept = []
        for module in [*self.blocks, self.norm]:
            module.register_forward_pre_hook(self.keep, with_kwargs=True)

    def keep(self, _module, inputs, named):
        stream = inputs[0] if inputs else named["hidden_states"]
        self.kept.append(stream[0].clone())

    def run(self, ids):
        self.kept.clear()
        with torch.no_grad():
            output = self.model(torch.tensor([ids]), output_hidden_states=True, use_cache=False)
        states = torch.stack(self.kept)
        self.check(states, output)
        return states, output.logits[0].contiguous()

    def check(self, states, output):
        """hidden_states says the same, in its own order (method 1.1)."""
        theirs = [state[0] for state in output.hidden_states]
        with torch.no_grad():
            normed = self.norm(states[-1])
        is_mamba = len(theirs) == len(self.blocks) + 1 and torch.equal(theirs[0], states[1])
        ours = [*states[1:], normed] if is_mamba else [*states[:-1], normed]
        assert len(ours) == len(theirs)
        self.kept.clear()
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))

    def subject(self, row):
        config = row.config()
        context = config.get("max_position_embeddings", config.get("n_positions", 1 << 20))
        return counting.Subject(
            self.run,
            self.norm,
            self.model.get_output_embeddings().weight.detach(),
            len(self.blocks),
            context,
        )


# ---- the job ----


class Ids:
    """The vocabulary of a corpus of ids."""

    special, bos, add_bos = [], -1, False

    def __init__(self, rows):
        self.rows = rows

    def encode(self, text):
        return [int(word) for word in text.split()]

    def decode(self, ids):
        return " ".join(map(str, ids))


class Bytes:
    """The byte-level vocabulary that the tests write, read by tokenizers itself."""

    add_bos = False

    def __init__(self, rows):
        self.rows = rows
        self.tokenizer = tokenizers.Tokenizer.from_str(json.dumps(byte_tokenizer()))
        self.special = [self.tokenizer.token_to_id(text) for text in ("<bos>", "<end>")]
        self.bos = self.special[0]

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids):
        return self.tokenizer.decode(ids)


def texts():
    """Short pieces of prose from the demo's reference corpus, some with what is special."""
    prose = (TESTS / "data" / "reference" / "prose.txt").read_text(encoding="utf-8")
    words = prose.split()
    for i in range(0, len(words), 5):
        piece = " ".join(words[i : i + 2 + i % 4])
        yield {"text": piece + (" <end> é" if i % 15 == 0 else ""), "group": f"g{i % 2}"}


def id_lists(row):
    source = weights.Source(row.name)
    for i in range(1000):
        n = 1 + source.integers(f"length {i}", 1, 2 * jobs.LENGTH + 5)[0]
        # Twice a modulus: small ids are more frequent.
        top = source.integers(f"top {i}", n, row.config()["vocab_size"])
        words = source.integers(f"words {i}", n, 1 << 20)
        yield [word % (1 + limit) for word, limit in zip(words, top, strict=True)]


def is_decided(subject, ids, bos):
    """Is the output's best token best by a margin, at every position of the record?"""
    for window in counting.windows_of(ids, jobs.LENGTH, bos, "split")[1]:
        best = torch.topk(subject.run(window.inputs)[1], 2).values
        if (best[:, 0] - best[:, 1]).min() < LEAST_MARGIN:
            return False
    return True


def write_corpus(path, row, subject, vocabulary):
    lines = []
    for record in texts() if row.is_text else id_lists(row):
        ids = vocabulary.encode(record["text"]) if row.is_text else record
        bos = [vocabulary.bos] if row.is_text else []
        if is_decided(subject, ids, bos):
            lines.append(json.dumps(record) if row.is_text else " ".join(map(str, record)))
        if len(lines) == RECORDS:
            break
    path.write_text("\n".join(lines) + "\n")


def make_job(folder, row, subject):
    rows = row.config()["vocab_size"]
    vocabulary = Bytes(rows) if row.is_text else Ids(rows)
    write_corpus(folder / jobs.corpus_name(row), row, subject, vocabulary)
    job = counting.complete_job(jobs.make(row, "model", folder, "job.nc"))
    reference, readouts, _ = counting.compute(job, pathlib.Path(), subject, vocabulary)
    numpy.savez_compressed(folder / "job.npz", **reference)
    return readouts


# ---- states and logits ----


def prompt_of(row):
    return weights.Source(row.name).integers("prompt", row.length, row.config()["vocab_size"])


def kept_rows(length):
    """First, last, and some between."""
    return sorted({round(i * (length - 1) / (KEPT_ROWS - 1)) for i in range(KEPT_ROWS)})


def write_reference(path, row, prober):
    ids = prompt_of(row)
    states, logits = prober.run(ids)
    rows = kept_rows(row.length)
    safetensors.torch.save_file(
        {
            "input_ids": torch.tensor(ids),
            "rows": torch.tensor(rows),
            "states_rows": states[:, rows].contiguous(),
            "logits_rows": logits[rows].contiguous(),
        },
        path,
    )
    return states, logits


def own_error(row, model, states, logits):
    """Largest deviation of fp32 from fp64, relative to the row's root mean square. Rotary
    angles are fp32 in both, and Mamba's scan partly."""
    exact = Prober(model.double(), row.family)
    exact.check = lambda *_: None
    truth = exact.run(prompt_of(row))
    worst = 0
    for found, wanted in zip((states, logits), truth, strict=True):
        scale = wanted.double().pow(2).mean(-1).sqrt()
        worst = max(worst, ((found - wanted).abs().amax(-1) / scale).max().item())
    return worst


# ---- the whole ----


def report(row, readouts, error, size):
    """Prints how the row's distributions spread, and complains when they don't."""
    entropy = readouts.entropy
    moved = (readouts.top1[1:] != readouts.top1[:-1]).mean()
    kinds = len(numpy.unique(readouts.top1))
    print(
        f"{row.name:24} {len(readouts.gold):4} positions, nats {entropy.min():5.2f} "
        f"{numpy.median(entropy):5.2f} {entropy.max():5.2f}, output's "
        f"{numpy.median(entropy[-1]):5.2f}, moved {moved:4.2f}, {kinds:3} guesses, "
        f"fp32 {error:.1e}, {size} bytes",
        flush=True,
    )
    assert entropy.min() < NATS[0] and entropy.max() > NATS[1], "entropies don't spread"
    assert moved > MOVED, "blocks don't change the guesses"
    assert error < OWN_ERROR, "fp32 is a rough reference here"
    assert size < LARGEST, "too large"


def make(row, out):
    folder = out / row.name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    tensors = weights.make(row)
    with tempfile.TemporaryDirectory() as scratch:
        model = load_all(row, tensors, pathlib.Path(scratch))
    prober = Prober(model, row.family)
    states, logits = write_reference(folder / "reference.safetensors", row, prober)
    readouts = make_job(folder, row, prober.subject(row))
    error = own_error(row, model, states, logits)
    report(row, readouts, error, sum(file.stat().st_size for file in folder.iterdir()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("rows", nargs="*")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for row in table.ROWS:
        if not arguments.rows or row.name in arguments.rows:
            make(row, arguments.out)


if __name__ == "__main__":
    main()
