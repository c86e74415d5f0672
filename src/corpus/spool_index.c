/* The index of a spool as bytes: it goes to the other ranks and into a file.
 *     magic, version, V | fingerprint | groups | chunks | T of each pack | token counts
 *     | checksum of all before
 * Everything is held against the bytes that are there before memory is asked for. */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <string.h>              /* memcmp */
#include "corpus_bytes.h"
#include "spool.h"

enum { VERSION = 1 };

static const char magic[8] = "lmdindex";

static void put_string(lmd_text *out, const char *string)
{
    const size_t n = strlen(string);
    corpus_put64(out, n);
    lmd_text_append(out, string, n);
}

static void put_chunk(const spool_chunk *chunk, lmd_text *out)
{
    corpus_put32(out, (uint32_t)chunk->unit);
    corpus_put32(out, (uint32_t)chunk->n_packs);
    corpus_put64(out, (uint64_t)chunk->stretch);
    corpus_put64(out, chunk->stamp);
    corpus_put64(out, (uint64_t)chunk->n_specials);
    corpus_put32(out, (uint32_t)chunk->n_groups);
    for (int g = 0; g < chunk->n_groups; g++) {
        corpus_put32(out, (uint32_t)chunk->groups[g]);
        for (int fate = 0; fate < LMD_FATE_COUNT; fate++) {
            corpus_put64(out, (uint64_t)chunk->records[g][fate]);
        }
    }
}

void lmd_spool_write_index(const lmd_spool *spool, const char *fingerprint, lmd_text *out)
{
    const size_t start = out->size;
    lmd_text_append(out, magic, sizeof magic);
    corpus_put32(out, VERSION);
    corpus_put32(out, (uint32_t)spool->V);
    put_string(out, fingerprint);
    corpus_put32(out, (uint32_t)spool->n_groups);
    for (int g = 0; g < spool->n_groups; g++) {
        put_string(out, spool->groups[g]);
    }
    corpus_put32(out, (uint32_t)spool->n_chunks);
    for (int k = 0; k < spool->n_chunks; k++) {
        put_chunk(&spool->chunks[k], out);
    }
    for (int64_t i = 0; i < spool->n_packs; i++) {
        corpus_put32(out, (uint32_t)spool->pack_tokens[i]);
    }
    for (int id = 0; id < spool->V; id++) {
        corpus_put64(out, (uint64_t)spool->token_counts[id]);
    }
    corpus_put64(out, corpus_checksum(out->bytes + start, out->size - start));
}

static lmd_status refuse(const char *folder, const char *what)
{
    return lmd_status_set(LMD_INPUT, "%s: the index of the work folder is damaged: %s",
                          folder, what);
}

static bool take_string(corpus_cursor *cursor, const char **string, size_t *n_bytes)
{
    *n_bytes = (size_t)corpus_take64(cursor);
    *string = corpus_take(cursor, *n_bytes);
    return *string != NULL;
}

static bool take_groups(corpus_cursor *cursor, lmd_spool *spool)
{
    const uint32_t n = corpus_take32(cursor);
    if (n > cursor->left / sizeof(uint64_t)) {
        return false;
    }
    spool->groups = lmd_memory_new(n, sizeof *spool->groups);
    while (spool->n_groups < (int)n) {
        const char *name;
        size_t n_bytes;
        if (!take_string(cursor, &name, &n_bytes)) {
            return false;
        }
        spool->groups[spool->n_groups++] = lmd_memory_copy_bytes(name, n_bytes);
    }
    return true;
}

/* A count; `total` is the sum of all. */
static bool take_count(corpus_cursor *cursor, int64_t *total, int64_t *count)
{
    const uint64_t value = corpus_take64(cursor);
    *count = (int64_t)value;
    return corpus_add_count(total, value);
}

static bool take_records(corpus_cursor *cursor, const lmd_spool *spool,
                         spool_chunk *chunk, int64_t *total)
{
    for (int g = 0; g < chunk->n_groups; g++) {
        const uint32_t group = corpus_take32(cursor);
        if (group >= (uint32_t)spool->n_groups) {
            return false;
        }
        chunk->groups[g] = (int32_t)group;
        for (int fate = 0; fate < LMD_FATE_COUNT; fate++) {
            if (!take_count(cursor, total, &chunk->records[g][fate])) {
                return false;
            }
        }
    }
    return true;
}

/* One chunk; its packs are only counted here, their T come behind all chunks. */
static bool take_chunk(corpus_cursor *cursor, lmd_spool *spool, int64_t *total)
{
    const uint32_t unit = corpus_take32(cursor);
    const uint32_t n_packs = corpus_take32(cursor);
    const uint64_t stretch = corpus_take64(cursor);
    const uint64_t stamp = corpus_take64(cursor);
    const uint64_t n_specials = corpus_take64(cursor);
    const uint32_t n_groups = corpus_take32(cursor);
    if (unit > INT32_MAX || n_packs > INT32_MAX || stretch > INT64_MAX ||
        !corpus_add_count(total, n_specials) ||
        n_groups > cursor->left / (LMD_FATE_COUNT * sizeof(int64_t))) {
        return false;
    }
    spool_chunk *const chunk = spool_add_chunk(spool, (int)n_groups, 0);
    chunk->unit = (int)unit;
    chunk->n_packs = (int)n_packs;
    chunk->stretch = (int64_t)stretch;
    chunk->stamp = stamp;
    chunk->n_specials = (int64_t)n_specials;
    return take_records(cursor, spool, chunk, total) && !cursor->is_short;
}

static bool take_chunks(corpus_cursor *cursor, lmd_spool *spool, int64_t *total)
{
    const uint32_t n = corpus_take32(cursor);
    for (uint32_t k = 0; k < n; k++) {
        if (!take_chunk(cursor, spool, total)) {
            return false;
        }
    }
    return true;
}

static bool take_packs(corpus_cursor *cursor, lmd_spool *spool)
{
    uint64_t n = 0;
    for (int k = 0; k < spool->n_chunks; k++) {
        spool->chunks[k].first_pack = (int64_t)n;
        n += (uint64_t)spool->chunks[k].n_packs;
    }
    if (n > cursor->left / sizeof(uint32_t)) {
        return false;
    }
    lmd_memory_free(spool->pack_tokens);
    spool->pack_tokens = lmd_memory_new((size_t)n, sizeof *spool->pack_tokens);
    for (uint64_t i = 0; i < n; i++) {
        const uint32_t T = corpus_take32(cursor);
        if (T < 1 || T > INT32_MAX) {
            return false;
        }
        spool->pack_tokens[spool->n_packs++] = (int32_t)T;
        spool->n_tokens += T;
    }
    return true;
}

static bool take_counts(corpus_cursor *cursor, lmd_spool *spool, int64_t *total)
{
    for (int id = 0; id < spool->V; id++) {
        if (!take_count(cursor, total, &spool->token_counts[id])) {
            return false;
        }
    }
    return !cursor->is_short && cursor->left == 0;
}

/* What follows magic and version. */
static lmd_status take_all(corpus_cursor *cursor, lmd_spool **out, const char *folder,
                           lmd_text *fingerprint)
{
    const char *text;
    size_t n_bytes;
    int64_t total = 0;
    const uint32_t V = corpus_take32(cursor);
    if (V < 1 || V > cursor->left / sizeof(int64_t) ||
        !take_string(cursor, &text, &n_bytes)) {
        return refuse(folder, "its head is not understood");
    }
    lmd_spool *const spool = spool_new(folder, (int)V);
    if (!take_groups(cursor, spool) || !take_chunks(cursor, spool, &total) ||
        !take_packs(cursor, spool) || !take_counts(cursor, spool, &total)) {
        lmd_spool_close(spool);
        return refuse(folder, "its numbers do not fit its size");
    }
    lmd_text_append(fingerprint, text, n_bytes);
    *out = spool;
    return LMD_OK;
}

lmd_status lmd_spool_read_index(lmd_spool **out, const void *bytes, size_t n_bytes,
                                const char *folder, lmd_text *fingerprint)
{
    *out = NULL;
    if (n_bytes < sizeof magic + sizeof(uint64_t)) {
        return refuse(folder, "truncated");
    }
    const size_t n_checked = n_bytes - sizeof(uint64_t);
    corpus_cursor cursor = {bytes, n_checked, false};
    if (memcmp(corpus_take(&cursor, sizeof magic), magic, sizeof magic) != 0) {
        return refuse(folder, "it does not begin like one");
    }
    if (corpus_checksum(bytes, n_checked) !=
        corpus_load64((const char *)bytes + n_checked)) {
        return refuse(folder, "wrong checksum");
    }
    if (corpus_take32(&cursor) != VERSION) {
        return refuse(folder, "of another version");
    }
    return take_all(&cursor, out, folder, fingerprint);
}
