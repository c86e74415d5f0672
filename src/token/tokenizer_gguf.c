/* The vocabulary in a GGUF file's metadata (tokenizer.ggml.*), of kind gpt2: pieces,
 * types and merges, with a name for the way text is cut (gguf_splits.def).
 *
 * Types: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. 2 and 3 are
 * special tokens, 2, 3 and 4 are looked for in text; 5 and the "[PAD<id>]" that
 * converters write where the model has no token are no tokens at all. */
#include "tokenizer.h"

#include <stdio.h>               /* snprintf */
#include <string.h>              /* strcmp */
#include <lmdepth/base/memory.h> /* lmd_memory_copy_text */
#include <lmdepth/weights.h>     /* lmd_weights_get_strings */
#include "bpe.h"
#include "gguf_splits.h"

enum piece_type { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5 };

typedef struct vocabulary_arrays {
    const lmd_bytes *pieces; /* (n) borrowed */
    size_t n;
    const int64_t *types;    /* (n) borrowed; NULL: all normal */
    const lmd_bytes *merges; /* (n_merges) borrowed */
    size_t n_merges;
} vocabulary_arrays;

static lmd_status find_arrays(const lmd_weights *file, vocabulary_arrays *arrays)
{
    size_t n_types = 0;
    if (!lmd_weights_get_strings(file, "tokenizer.ggml.tokens", &arrays->pieces,
                                 &arrays->n)) {
        return lmd_status_set(LMD_INPUT, "tokenizer.ggml.tokens: no list of strings");
    }
    if (lmd_weights_has(file, "tokenizer.ggml.token_type") &&
        (!lmd_weights_get_ints(file, "tokenizer.ggml.token_type", &arrays->types,
                               &n_types) ||
         n_types != arrays->n)) {
        return lmd_status_set(LMD_INPUT,
                              "tokenizer.ggml.token_type: not one number for each token");
    }
    if (!lmd_weights_get_strings(file, "tokenizer.ggml.merges", &arrays->merges,
                                 &arrays->n_merges)) {
        return lmd_status_set(LMD_INPUT, "tokenizer.ggml.merges: no list of strings");
    }
    return LMD_OK;
}

static bool is_token(const vocabulary_arrays *arrays, size_t id)
{
    char padding[32];
    const int size = snprintf(padding, sizeof padding, "[PAD%zu]", id);
    const lmd_bytes *const piece = &arrays->pieces[id];
    const bool is_padding =
        piece->size == (size_t)size && memcmp(piece->bytes, padding, piece->size) == 0;
    return !is_padding && (arrays->types == NULL || arrays->types[id] != UNUSED);
}

static void add_token(lmd_tokenizer *tokenizer, const vocabulary_arrays *arrays,
                      size_t id)
{
    const int64_t type = arrays->types == NULL ? NORMAL : arrays->types[id];
    const lmd_bytes *const piece = &arrays->pieces[id];
    const bool is_added = type == UNKNOWN || type == CONTROL || type == USER_DEFINED;
    if (is_added && piece->size > 0) {
        const bool special = type != USER_DEFINED;
        const lmd_added_token token = {.content = piece->bytes,
                                       .size = piece->size,
                                       .id = (int)id,
                                       .special = special,
                                       .normalized = !special};
        lmd_tokenizer_add_token(tokenizer, &token);
    }
}

static lmd_status read_pieces(lmd_tokenizer *tokenizer, lmd_bpe *bpe,
                              const vocabulary_arrays *arrays)
{
    for (size_t id = 0; id < arrays->n; id++) {
        const lmd_bytes *const piece = &arrays->pieces[id];
        if (lmd_text_find_bad_utf8(piece->bytes, piece->size) != piece->size) {
            return lmd_status_set(LMD_INPUT,
                                  "tokenizer.ggml.tokens: number %zu is not UTF-8", id);
        }
        if (is_token(arrays, id)) {
            LMD_TRY(lmd_vocabulary_add(bpe->base.vocabulary, piece->bytes, piece->size,
                                       (int64_t)id));
            add_token(tokenizer, arrays, id);
        }
    }
    return LMD_OK;
}

static lmd_status read_bpe(lmd_tokenizer *tokenizer, const lmd_weights *file,
                           lmd_bpe *bpe)
{
    vocabulary_arrays arrays = {0};
    LMD_TRY(find_arrays(file, &arrays));
    LMD_TRY(read_pieces(tokenizer, bpe, &arrays));
    for (size_t i = 0; i < arrays.n_merges; i++) {
        LMD_TRY(
            lmd_bpe_add_merge_line(bpe, arrays.merges[i].bytes, arrays.merges[i].size));
    }
    lmd_bpe_seal(bpe);
    return LMD_OK;
}

static lmd_status read_bos(lmd_tokenizer *tokenizer, const lmd_weights *file)
{
    int64_t bos = -1;
    const bool is_known = lmd_weights_get_int(file, "tokenizer.ggml.bos_token_id", &bos);
    if (is_known && (bos < 0 || bos >= LMD_VOCABULARY_IDS)) {
        return lmd_status_set(LMD_INPUT,
                              "tokenizer.ggml.bos_token_id: %lld is out of bounds",
                              (long long)bos);
    }
    tokenizer->bos = (int)bos;
    (void)lmd_weights_get_bool(file, "tokenizer.ggml.add_bos_token",
                               &tokenizer->adds_bos);
    if (tokenizer->adds_bos && tokenizer->bos < 0) {
        return lmd_status_set(LMD_INPUT,
                              "tokenizer.ggml.add_bos_token is true, but there is "
                              "no tokenizer.ggml.bos_token_id");
    }
    return LMD_OK;
}

/* ---- sha256 of the metadata ---- */

static void hash_string(lmd_sha256 *sha, const char *bytes, size_t size)
{
    const uint64_t length = size;
    lmd_sha256_add(sha, &length, sizeof length);
    lmd_sha256_add(sha, bytes, size);
}

static void hash_value(lmd_sha256 *sha, const lmd_weights *file, const char *key)
{
    lmd_bytes string = {0};
    const lmd_bytes *strings = NULL;
    const int64_t *ints = NULL;
    const double *reals = NULL;
    int64_t number = 0;
    bool flag = false;
    size_t n = 0;
    if (lmd_weights_get_string(file, key, &string)) {
        hash_string(sha, string.bytes, string.size);
    } else if (lmd_weights_get_strings(file, key, &strings, &n)) {
        for (size_t i = 0; i < n; i++) {
            hash_string(sha, strings[i].bytes, strings[i].size);
        }
    } else if (lmd_weights_get_ints(file, key, &ints, &n)) {
        lmd_sha256_add(sha, ints, n * sizeof *ints);
    } else if (lmd_weights_get_reals(file, key, &reals, &n)) {
        lmd_sha256_add(sha, reals, n * sizeof *reals);
    } else if (lmd_weights_get_int(file, key, &number)) {
        lmd_sha256_add(sha, &number, sizeof number);
    } else if (lmd_weights_get_bool(file, key, &flag)) {
        lmd_sha256_add(sha, flag ? "t" : "f", 1);
    }
}

static void hash_metadata(const lmd_weights *file, char hex[LMD_SHA256_HEX])
{
    lmd_sha256 *const sha = lmd_sha256_new();
    for (int i = 0; i < lmd_weights_key_count(file); i++) {
        const char *const key = lmd_weights_key_at(file, i);
        if (strncmp(key, "tokenizer.", strlen("tokenizer.")) == 0) {
            hash_string(sha, key, strlen(key));
            hash_value(sha, file, key);
        }
    }
    lmd_sha256_finish(sha, hex);
    lmd_sha256_free(sha);
}

/* ---- the whole ---- */

static lmd_status check_kind(const lmd_weights *file)
{
    lmd_bytes kind = {0};
    if (!lmd_weights_get_string(file, "tokenizer.ggml.model", &kind)) {
        return lmd_status_set(LMD_INPUT,
                              "no tokenizer in this file (tokenizer.ggml.model)");
    }
    return strcmp(kind.bytes, "gpt2") == 0
               ? LMD_OK
               : lmd_status_set(LMD_INPUT,
                                "tokenizer.ggml.model: vocabularies of kind %s are not "
                                "supported yet",
                                kind.bytes);
}

static lmd_status read_file(lmd_tokenizer *tokenizer, const lmd_weights *file)
{
    LMD_TRY(check_kind(file));
    lmd_bytes pre = {.bytes = ""};
    (void)lmd_weights_get_string(file, "tokenizer.ggml.pre", &pre);
    lmd_bpe *const bpe = lmd_bpe_new();
    tokenizer->model = &bpe->base;
    LMD_TRY(lmd_gguf_split_open(pre.bytes, &tokenizer->normalizer,
                                &tokenizer->pretokenizer, &bpe->ignore_merges));
    LMD_TRY(read_bpe(tokenizer, file, bpe));
    LMD_TRY(read_bos(tokenizer, file));
    hash_metadata(file, tokenizer->sha256);
    lmd_text text = {0};
    lmd_text_append_format(&text, "byte-level BPE, %d ids, %s",
                           lmd_vocabulary_end(bpe->base.vocabulary),
                           pre.bytes[0] == '\0' ? "gpt-neox" : pre.bytes);
    tokenizer->description = lmd_memory_copy_text(lmd_text_string(&text));
    lmd_text_clear(&text);
    return LMD_OK;
}

lmd_status lmd_tokenizer_read_gguf(lmd_tokenizer *tokenizer)
{
    lmd_weights *file = NULL;
    LMD_TRY(lmd_weights_open(&file, tokenizer->path));
    const lmd_status status =
        lmd_status_within(read_file(tokenizer, file), "%s", tokenizer->path);
    lmd_weights_close(file);
    return status;
}
