"""The job of a row: one for the maker of references and for the test. Short windows, records
longer and shorter than one, two folds, all metrics."""

LENGTH = 17
PACK = 96  # holds several prompts


def corpus_name(row):
    return "corpus.jsonl" if row.is_text else "corpus.ids"


def make(row, model_path, corpus_folder, output, pack=PACK):
    prompts = {"length": LENGTH, "long": "split"}
    source = {"path": f"{corpus_folder}/{corpus_name(row)}"}
    if row.is_text:
        prompts["bos"] = "always"
        source["group_field"] = "group"
    else:
        source["format"] = "ids"
    return {
        "model": {"path": str(model_path)},
        "corpus": [source],
        "prompts": prompts,
        "observe": {
            "positions": "all",
            "states": "all",
            "lenses": [{"kind": "logit"}],
            "metrics": ["bucket", "onset", "entropy", "divergence", "token"],
            "folds": 2,
        },
        "run": {"pack_tokens": pack, "seed": 3},
        "output": str(output),
    }
