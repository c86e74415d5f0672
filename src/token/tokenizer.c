/* Opening: which file of a folder is the tokenizer, who reads it, and what ids stand for.
 * Everything that encoding needs is built here; afterwards nothing changes. */
#include "tokenizer.h"

#include <dirent.h>              /* opendir */
#include <string.h>              /* strcmp */
#include <lmdepth/base/file.h>   /* lmd_file_read_all */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include "byte_level.h"

/* Larger files are taken for damage. */
enum { FILE_LIMIT = 1 << 30 };

/* A token that becomes empty would be found between any two characters; `tokenizers` does
 * so where these are of one byte, and crashes elsewhere. */
static lmd_status add_normalized(lmd_tokenizer *tokenizer, const lmd_added_token *token)
{
    lmd_text pattern = {0};
    lmd_matcher *const matcher = lmd_matcher_new();
    lmd_status status = lmd_normalizer_apply(tokenizer->normalizer, matcher,
                                             token->content, token->size, &pattern);
    if (status == LMD_OK && pattern.size == 0) {
        status = lmd_status_set(LMD_INPUT,
                                "the token \"%s\" is empty when it is normalized, which "
                                "is not supported",
                                token->content);
    }
    if (status == LMD_OK) {
        lmd_added_tokens_add(tokenizer->added, token, lmd_text_string(&pattern),
                             pattern.size);
    }
    lmd_matcher_free(matcher);
    lmd_text_clear(&pattern);
    return status;
}

lmd_status lmd_tokenizer_add_token(lmd_tokenizer *tokenizer, const lmd_added_token *token)
{
    if (token->normalized && tokenizer->normalizer != NULL) {
        return add_normalized(tokenizer, token);
    }
    lmd_added_tokens_add(tokenizer->added, token, token->content, token->size);
    return LMD_OK;
}

int lmd_tokenizer_find(const lmd_tokenizer *tokenizer, const char *content, size_t size)
{
    const lmd_added_token *const token =
        lmd_added_tokens_find(tokenizer->added, content, size);
    return token != NULL
               ? token->id
               : lmd_vocabulary_find(tokenizer->model->vocabulary, content, size);
}

/* ---- what ids stand for ---- */

static void append_piece(lmd_tokenizer *tokenizer, int id)
{
    const lmd_added_token *const added = lmd_added_tokens_by_id(tokenizer->added, id);
    if (added != NULL) {
        lmd_text_append(&tokenizer->pieces, added->content, added->size);
        return;
    }
    size_t size = 0;
    const char *const piece =
        lmd_vocabulary_piece(tokenizer->model->vocabulary, id, &size);
    const bool is_text = lmd_text_find_bad_utf8(piece == NULL ? "" : piece, size) == size;
    if (piece != NULL && !(tokenizer->is_byte_level && is_text &&
                           lmd_byte_level_read(piece, size, &tokenizer->pieces))) {
        lmd_text_append(&tokenizer->pieces, piece, size);
    }
}

/* The end of opening: sizes, pieces. */
static lmd_status finish(lmd_tokenizer *tokenizer)
{
    int vocab = lmd_vocabulary_end(tokenizer->model->vocabulary);
    for (size_t i = 0; i < lmd_added_tokens_count(tokenizer->added); i++) {
        const int id = lmd_added_tokens_at(tokenizer->added, i)->id;
        vocab = id >= vocab ? id + 1 : vocab;
    }
    if (vocab == 0) {
        return lmd_status_set(LMD_INPUT, "the vocabulary is empty");
    }
    if (tokenizer->bos >= vocab) {
        return lmd_status_set(LMD_INPUT, "the BOS %d is outside the vocabulary of %d ids",
                              tokenizer->bos, vocab);
    }
    tokenizer->vocab = vocab;
    tokenizer->piece_start =
        lmd_memory_new((size_t)vocab + 1, sizeof *tokenizer->piece_start);
    for (int id = 0; id < vocab; id++) {
        append_piece(tokenizer, id);
        tokenizer->piece_start[id + 1] = tokenizer->pieces.size;
    }
    return LMD_OK;
}

/* ---- opening ---- */

static lmd_tokenizer *new_tokenizer(const char *path)
{
    lmd_tokenizer *const tokenizer = lmd_memory_new(1, sizeof *tokenizer);
    tokenizer->path = lmd_memory_copy_text(path);
    tokenizer->added = lmd_added_tokens_new();
    tokenizer->bos = -1;
    return tokenizer;
}

static lmd_status read_json_bytes(lmd_tokenizer *tokenizer, const char *bytes,
                                  size_t size)
{
    lmd_sha256_of(bytes, size, tokenizer->sha256);
    LMD_TRY(lmd_tokenizer_read_json(tokenizer, bytes, size));
    return finish(tokenizer);
}

static lmd_status read_json_file(lmd_tokenizer *tokenizer)
{
    lmd_text bytes = {0};
    lmd_status status = lmd_file_read_all(tokenizer->path, FILE_LIMIT, &bytes);
    if (status == LMD_OK) {
        status = lmd_status_within(
            read_json_bytes(tokenizer, lmd_text_string(&bytes), bytes.size), "%s",
            tokenizer->path);
    }
    lmd_text_clear(&bytes);
    LMD_TRY(status);
    return lmd_tokenizer_read_config(tokenizer);
}

static lmd_status read_gguf_file(lmd_tokenizer *tokenizer)
{
    LMD_TRY(lmd_tokenizer_read_gguf(tokenizer));
    return lmd_status_within(finish(tokenizer), "%s", tokenizer->path);
}

/* What follows the reading of a file that is no tokenizer.json. */
static lmd_status finish_with_config(lmd_tokenizer *tokenizer, json_t *config)
{
    LMD_TRY(lmd_tokenizer_add_config_tokens(tokenizer, config));
    LMD_TRY(finish(tokenizer));
    return lmd_tokenizer_read_config(tokenizer);
}

/* added_tokens.json holds ids only, and what transformers makes of it depends on the
 * class. */
static lmd_status refuse_added_tokens(const char *folder)
{
    char *const path = lmd_file_join(folder, "added_tokens.json");
    const lmd_status status =
        lmd_file_exists(path)
            ? lmd_status_set(LMD_INPUT, "%s is not supported without a tokenizer.json",
                             path)
            : LMD_OK;
    lmd_memory_free(path);
    return status;
}

static lmd_status read_model_bytes(lmd_tokenizer *tokenizer, const lmd_text *bytes,
                                   json_t *config)
{
    lmd_sha256_of(lmd_text_string(bytes), bytes->size, tokenizer->sha256);
    LMD_TRY(lmd_tokenizer_read_sentencepiece(tokenizer, lmd_text_string(bytes),
                                             bytes->size, config));
    return finish_with_config(tokenizer, config);
}

static lmd_status read_model_file(lmd_tokenizer *tokenizer, const char *folder,
                                  json_t *config)
{
    lmd_text bytes = {0};
    (void)folder;
    lmd_status status = lmd_file_read_all(tokenizer->path, FILE_LIMIT, &bytes);
    if (status == LMD_OK) {
        status = lmd_status_within(read_model_bytes(tokenizer, &bytes, config), "%s",
                                   tokenizer->path);
    }
    lmd_text_clear(&bytes);
    return status;
}

static lmd_status read_vocab_bytes(lmd_tokenizer *tokenizer, const lmd_text *vocab,
                                   const lmd_text *merges, json_t *config)
{
    lmd_sha256 *const sha = lmd_sha256_new();
    lmd_sha256_add(sha, lmd_text_string(vocab), vocab->size);
    lmd_sha256_add(sha, lmd_text_string(merges), merges->size);
    lmd_sha256_finish(sha, tokenizer->sha256);
    lmd_sha256_free(sha);
    LMD_TRY(lmd_tokenizer_read_vocab(tokenizer, vocab, merges, config));
    return finish_with_config(tokenizer, config);
}

static lmd_status read_vocab_file(lmd_tokenizer *tokenizer, const char *folder,
                                  json_t *config)
{
    lmd_text vocab = {0};
    lmd_text merges = {0};
    char *const path = lmd_file_join(folder, "merges.txt");
    lmd_status status = lmd_file_read_all(tokenizer->path, FILE_LIMIT, &vocab);
    if (status == LMD_OK) {
        status = lmd_file_read_all(path, FILE_LIMIT, &merges);
    }
    if (status == LMD_OK) {
        status = lmd_status_within(read_vocab_bytes(tokenizer, &vocab, &merges, config),
                                   "%s", tokenizer->path);
    }
    lmd_memory_free(path);
    lmd_text_clear(&vocab);
    lmd_text_clear(&merges);
    return status;
}

typedef lmd_status read_with_config(lmd_tokenizer *tokenizer, const char *folder,
                                    json_t *config);

static lmd_status read_beside_config(lmd_tokenizer *tokenizer, read_with_config *read)
{
    json_t *config = NULL;
    LMD_TRY(lmd_tokenizer_load_config(tokenizer, &config));
    char *const folder = lmd_file_folder_of(tokenizer->path);
    lmd_status status = refuse_added_tokens(folder);
    if (status == LMD_OK) {
        status = read(tokenizer, folder, config);
    }
    lmd_memory_free(folder);
    json_decref(config);
    return status;
}

static lmd_status keep_or_close(lmd_tokenizer **out, lmd_tokenizer *tokenizer,
                                lmd_status status)
{
    *out = status == LMD_OK ? tokenizer : NULL;
    if (status != LMD_OK) {
        lmd_token_close(tokenizer);
    }
    return status;
}

static lmd_status open_file(lmd_tokenizer **out, const char *path)
{
    lmd_tokenizer *const tokenizer = new_tokenizer(path);
    lmd_status status = LMD_OK;
    if (lmd_file_ends_with(path, ".gguf")) {
        status = read_gguf_file(tokenizer);
    } else if (lmd_file_ends_with(path, ".model")) {
        status = read_beside_config(tokenizer, read_model_file);
    } else if (strcmp(lmd_file_name_of(path), "vocab.json") == 0) {
        status = read_beside_config(tokenizer, read_vocab_file);
    } else if (lmd_file_ends_with(path, ".json")) {
        status = read_json_file(tokenizer);
    } else {
        status = lmd_status_set(LMD_INPUT,
                                "%s: this kind of tokenizer is not supported "
                                "(tokenizer.json, tokenizer.model, vocab.json with "
                                "merges.txt, .gguf, or a folder with one of them)",
                                path);
    }
    return keep_or_close(out, tokenizer, status);
}

/* Where "-00001-of-" stands in the name of a split file's first part; 0: it is none. */
static size_t first_part_at(const char *name)
{
    const char *const found = strstr(name, "-00001-of-");
    return found == NULL ? 0 : (size_t)(found - name);
}

/* Is `name` another part of the split file that `first` begins? */
static bool is_part_of(const char *first, const char *name)
{
    enum { NUMBER = 6 }; // behind the hyphen five digits
    const size_t at = first_part_at(first);
    return at > 0 && strlen(first) == strlen(name) && strncmp(first, name, at + 1) == 0 &&
           strcmp(first + at + NUMBER, name + at + NUMBER) == 0;
}

/* What the *.gguf files of a folder are. */
typedef struct gguf_choice {
    char *name;  /* owned; the only one, or the first part; NULL: none so far */
    size_t n;    /* files */
    size_t n_in; /* of them, parts of the split file that `name` begins */
} gguf_choice;

static void count_gguf(const char *folder, bool is_counting_parts, gguf_choice *choice)
{
    DIR *const entries = opendir(folder);
    for (const struct dirent *at = entries == NULL ? NULL : readdir(entries); at != NULL;
         at = readdir(entries)) {
        if (!lmd_file_ends_with(at->d_name, ".gguf")) {
            continue;
        }
        if (is_counting_parts) {
            choice->n_in += is_part_of(choice->name, at->d_name);
            continue;
        }
        choice->n++;
        if (choice->name == NULL || first_part_at(at->d_name) > 0) {
            lmd_memory_free(choice->name);
            choice->name = lmd_memory_copy_text(at->d_name);
        }
    }
    if (entries != NULL) {
        closedir(entries);
    }
}

/* The only *.gguf of a folder, or the first part of the only one; NULL, with the number
 * of files, when there is no such choice. */
static char *find_gguf(const char *folder, size_t *count)
{
    gguf_choice choice = {0};
    count_gguf(folder, false, &choice);
    if (choice.n > 1) {
        count_gguf(folder, true, &choice);
    }
    *count = choice.n;
    const bool is_one = choice.n == 1 || (choice.n > 1 && choice.n_in == choice.n);
    char *const path = is_one ? lmd_file_join(folder, choice.name) : NULL;
    lmd_memory_free(choice.name);
    return path;
}

/* The file of a folder that is its tokenizer, in this order; NULL, with the number of
 * .gguf files, when there is none. */
static char *find_tokenizer(const char *folder, size_t *count)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer.model",
                                        "vocab.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *const path = lmd_file_join(folder, names[i]);
        if (lmd_file_exists(path)) {
            return path;
        }
        lmd_memory_free(path);
    }
    return find_gguf(folder, count);
}

static lmd_status open_folder(lmd_tokenizer **out, const char *folder)
{
    size_t count = 0;
    char *const path = find_tokenizer(folder, &count);
    if (path == NULL) {
        return lmd_status_set(LMD_INPUT, "%s: %s", folder,
                              count > 1 ? "no tokenizer.json, tokenizer.model or "
                                          "vocab.json, and more than one .gguf file"
                                        : "neither a tokenizer.json, a tokenizer.model, "
                                          "a vocab.json nor a .gguf file");
    }
    const lmd_status status = open_file(out, path);
    lmd_memory_free(path);
    return status;
}

lmd_status lmd_token_open(lmd_tokenizer **out, const char *path)
{
    *out = NULL;
    if (!lmd_file_exists(path)) {
        return lmd_status_set(LMD_USAGE, "%s: there is no such tokenizer", path);
    }
    return lmd_file_is_folder(path) ? open_folder(out, path) : open_file(out, path);
}

lmd_status lmd_tokenizer_open_json_bytes(lmd_tokenizer **out, const char *bytes,
                                         size_t size)
{
    lmd_tokenizer *const tokenizer = new_tokenizer("(memory)");
    return keep_or_close(out, tokenizer, read_json_bytes(tokenizer, bytes, size));
}

lmd_status lmd_tokenizer_open_model_bytes(lmd_tokenizer **out, const char *bytes,
                                          size_t size)
{
    lmd_tokenizer *const tokenizer = new_tokenizer("(memory)");
    lmd_status status = lmd_tokenizer_read_sentencepiece(tokenizer, bytes, size, NULL);
    if (status == LMD_OK) {
        status = finish(tokenizer);
    }
    return keep_or_close(out, tokenizer, status);
}

void lmd_token_close(lmd_tokenizer *tokenizer)
{
    if (tokenizer != NULL) {
        lmd_memory_free(tokenizer->path);
        lmd_memory_free(tokenizer->description);
        lmd_normalizer_close(tokenizer->normalizer);
        lmd_pretokenizer_close(tokenizer->pretokenizer);
        lmd_token_model_close(tokenizer->model);
        lmd_added_tokens_free(tokenizer->added);
        lmd_text_clear(&tokenizer->pieces);
        lmd_memory_free(tokenizer->piece_start);
        lmd_memory_free(tokenizer);
    }
}

/* ---- questions ---- */

const char *lmd_token_path(const lmd_tokenizer *tokenizer)
{
    return tokenizer->path;
}

const char *lmd_token_sha256(const lmd_tokenizer *tokenizer)
{
    return tokenizer->sha256;
}

const char *lmd_token_describe(const lmd_tokenizer *tokenizer)
{
    return tokenizer->description;
}

int lmd_token_vocab(const lmd_tokenizer *tokenizer)
{
    return tokenizer->vocab;
}

int lmd_token_bos(const lmd_tokenizer *tokenizer)
{
    return tokenizer->bos;
}

bool lmd_token_adds_bos(const lmd_tokenizer *tokenizer)
{
    return tokenizer->adds_bos;
}

bool lmd_token_is_special(const lmd_tokenizer *tokenizer, int id)
{
    const lmd_added_token *const token = lmd_added_tokens_by_id(tokenizer->added, id);
    return token != NULL && token->special;
}

const char *lmd_token_piece(const lmd_tokenizer *tokenizer, int id, size_t *size)
{
    if (id < 0 || id >= tokenizer->vocab) {
        *size = 0;
        return "";
    }
    *size = tokenizer->piece_start[id + 1] - tokenizer->piece_start[id];
    return lmd_text_string(&tokenizer->pieces) + tokenizer->piece_start[id];
}
