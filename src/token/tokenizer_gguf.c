/* The vocabulary in a GGUF file's metadata (tokenizer.ggml.*): of kind gpt2, pieces,
 * types and merges, with a name for the way text is cut (gguf_splits.def); of kind llama,
 * see gguf_llama.c.
 *
 * Types are SentencePiece's: unknown and control are special tokens; these and
 * user-defined ones are looked for in text. */
#include "gguf_vocabulary.h"

#include <stdio.h>               /* snprintf */
#include <string.h>              /* strcmp */
#include <lmdepth/base/memory.h> /* lmd_memory_copy_text */
#include "bpe.h"
#include "gguf_splits.h"
#include "scored_pieces.h"

/* ---- pieces ---- */

lmd_status lmd_gguf_read_pieces(const lmd_weights *file, lmd_gguf_pieces *pieces)
{
    size_t n_types = 0;
    if (!lmd_weights_get_strings(file, "tokenizer.ggml.tokens", &pieces->at,
                                 &pieces->n)) {
        return lmd_status_set(LMD_INPUT, "tokenizer.ggml.tokens: no list of strings");
    }
    if (lmd_weights_has(file, "tokenizer.ggml.token_type") &&
        (!lmd_weights_get_ints(file, "tokenizer.ggml.token_type", &pieces->types,
                               &n_types) ||
         n_types != pieces->n)) {
        return lmd_status_set(LMD_INPUT,
                              "tokenizer.ggml.token_type: not one number for each token");
    }
    for (size_t id = 0; id < pieces->n; id++) {
        const lmd_bytes *const piece = &pieces->at[id];
        if (lmd_text_find_bad_utf8(piece->bytes, piece->size) != piece->size) {
            return lmd_status_set(LMD_INPUT,
                                  "tokenizer.ggml.tokens: number %zu is not UTF-8", id);
        }
    }
    return LMD_OK;
}

static int64_t type_of(const lmd_gguf_pieces *pieces, size_t id)
{
    return pieces->types == NULL ? LMD_PIECE_NORMAL : pieces->types[id];
}

bool lmd_gguf_is_token(const lmd_gguf_pieces *pieces, size_t id)
{
    char padding[32];
    const int size = snprintf(padding, sizeof padding, "[PAD%zu]", id);
    const lmd_bytes *const piece = &pieces->at[id];
    const bool is_padding =
        piece->size == (size_t)size && memcmp(piece->bytes, padding, piece->size) == 0;
    return !is_padding && type_of(pieces, id) != LMD_PIECE_UNUSED;
}

lmd_status lmd_gguf_add_token(lmd_tokenizer *tokenizer, const lmd_gguf_pieces *pieces,
                              size_t id, bool normalized)
{
    const int64_t type = type_of(pieces, id);
    const lmd_bytes *const piece = &pieces->at[id];
    const bool special = type == LMD_PIECE_UNKNOWN || type == LMD_PIECE_CONTROL;
    if (!(special || type == LMD_PIECE_USER_DEFINED) || piece->size == 0 ||
        !lmd_gguf_is_token(pieces, id)) {
        return LMD_OK;
    }
    const lmd_added_token token = {.content = piece->bytes,
                                   .size = piece->size,
                                   .id = (int)id,
                                   .special = special,
                                   .normalized = normalized && !special};
    return lmd_tokenizer_add_token(tokenizer, &token);
}

/* ---- kind gpt2 ---- */

static lmd_status read_bpe(lmd_tokenizer *tokenizer, const lmd_weights *file,
                           lmd_bpe *bpe)
{
    lmd_gguf_pieces pieces = {0};
    const lmd_bytes *merges = NULL;
    size_t n_merges = 0;
    LMD_TRY(lmd_gguf_read_pieces(file, &pieces));
    if (!lmd_weights_get_strings(file, "tokenizer.ggml.merges", &merges, &n_merges)) {
        return lmd_status_set(LMD_INPUT, "tokenizer.ggml.merges: no list of strings");
    }
    for (size_t id = 0; id < pieces.n; id++) {
        if (lmd_gguf_is_token(&pieces, id)) {
            LMD_TRY(lmd_vocabulary_add(bpe->base.vocabulary, pieces.at[id].bytes,
                                       pieces.at[id].size, (int64_t)id));
        }
        LMD_TRY(lmd_gguf_add_token(tokenizer, &pieces, id, true));
    }
    for (size_t i = 0; i < n_merges; i++) {
        LMD_TRY(lmd_bpe_add_merge_line(bpe, merges[i].bytes, merges[i].size));
    }
    lmd_bpe_seal(bpe);
    return LMD_OK;
}

static lmd_status read_gpt2(lmd_tokenizer *tokenizer, const lmd_weights *file,
                            const char *pre)
{
    lmd_bpe *const bpe = lmd_bpe_new();
    tokenizer->model = &bpe->base;
    tokenizer->is_byte_level = true;
    LMD_TRY(lmd_gguf_split_open(pre, &tokenizer->normalizer, &tokenizer->pretokenizer,
                                &bpe->ignore_merges));
    return read_bpe(tokenizer, file, bpe);
}

/* ---- BOS ---- */

/* `usual` is the BOS of files that name none and the sign of a kind that adds it unless
 * told otherwise; -1: neither. */
static lmd_status read_bos(lmd_tokenizer *tokenizer, const lmd_weights *file, int usual)
{
    int64_t bos = usual;
    const bool is_known = lmd_weights_get_int(file, "tokenizer.ggml.bos_token_id", &bos);
    if (is_known && (bos < 0 || bos >= LMD_VOCABULARY_IDS)) {
        return lmd_status_set(LMD_INPUT,
                              "tokenizer.ggml.bos_token_id: %lld is out of bounds",
                              (long long)bos);
    }
    tokenizer->bos = (int)bos;
    tokenizer->adds_bos = usual >= 0;
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

static void describe(lmd_tokenizer *tokenizer, const char *kind, const char *pre)
{
    lmd_text text = {0};
    lmd_text_append_format(&text, "%s, %d ids, %s", kind,
                           lmd_vocabulary_end(tokenizer->model->vocabulary), pre);
    tokenizer->description = lmd_memory_copy_text(lmd_text_string(&text));
    lmd_text_clear(&text);
}

static lmd_status read_kind(lmd_tokenizer *tokenizer, const lmd_weights *file,
                            const char *kind)
{
    lmd_bytes pre = {.bytes = ""};
    (void)lmd_weights_get_string(file, "tokenizer.ggml.pre", &pre);
    if (strcmp(kind, "gpt2") == 0) {
        LMD_TRY(read_gpt2(tokenizer, file, pre.bytes));
        describe(tokenizer, "byte-level BPE",
                 pre.bytes[0] == '\0' ? "gpt-neox" : pre.bytes);
        return read_bos(tokenizer, file, -1);
    }
    if (strcmp(kind, "llama") == 0) {
        LMD_TRY(lmd_gguf_read_llama(tokenizer, file));
        describe(tokenizer, tokenizer->model->kind->description, "llama");
        return read_bos(tokenizer, file, 1);
    }
    return lmd_status_set(LMD_INPUT,
                          "tokenizer.ggml.model: vocabularies of kind %s are not "
                          "supported",
                          kind);
}

static lmd_status read_file(lmd_tokenizer *tokenizer, const lmd_weights *file)
{
    lmd_bytes kind = {0};
    if (!lmd_weights_get_string(file, "tokenizer.ggml.model", &kind)) {
        return lmd_status_set(LMD_INPUT,
                              "no tokenizer in this file (tokenizer.ggml.model)");
    }
    LMD_TRY(read_kind(tokenizer, file, kind.bytes));
    hash_metadata(file, tokenizer->sha256);
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
