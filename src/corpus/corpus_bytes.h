/* Little-endian integers into a growing text and out of bytes that are not trusted. */
#ifndef LMDEPTH_CORPUS_BYTES_H
#define LMDEPTH_CORPUS_BYTES_H

#include <stdbool.h>           /* bool */
#include <stddef.h>            /* size_t */
#include <stdint.h>            /* uint64_t */
#include <string.h>            /* memcpy */
#include <lmdepth/base/hash.h> /* lmd_hash_mix */
#include <lmdepth/base/size.h> /* lmd_size_add */
#include <lmdepth/base/text.h> /* lmd_text */

static inline void corpus_store32(char *out, uint32_t value)
{
    unsigned char *const bytes = (unsigned char *)out;
    for (int i = 0; i < 4; i++) {
        bytes[i] = (unsigned char)(value >> (8 * i));
    }
}

static inline void corpus_store64(char *out, uint64_t value)
{
    corpus_store32(out, (uint32_t)value);
    corpus_store32(out + 4, (uint32_t)(value >> 32));
}

static inline uint32_t corpus_load32(const char *in)
{
    const unsigned char *const bytes = (const unsigned char *)in;
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        value |= (uint32_t)bytes[i] << (8 * i);
    }
    return value;
}

static inline uint64_t corpus_load64(const char *in)
{
    return corpus_load32(in) | (uint64_t)corpus_load32(in + 4) << 32;
}

static inline void corpus_put32(lmd_text *out, uint32_t value)
{
    corpus_store32(lmd_text_reserve(out, 4), value);
    out->size += 4;
}

static inline void corpus_put64(lmd_text *out, uint64_t value)
{
    corpus_store64(lmd_text_reserve(out, 8), value);
    out->size += 8;
}

/* Reads from front to end; past the end everything is 0 and is_short is set. */
typedef struct corpus_cursor {
    const char *at;
    size_t left;
    bool is_short;
} corpus_cursor;

/* The next n_bytes, NULL when there are not so many. */
static inline const char *corpus_take(corpus_cursor *cursor, uint64_t n_bytes)
{
    if (cursor->is_short || n_bytes > cursor->left) {
        cursor->is_short = true;
        return NULL;
    }
    const char *const at = cursor->at;
    cursor->at += n_bytes;
    cursor->left -= (size_t)n_bytes;
    return at;
}

static inline uint32_t corpus_take32(corpus_cursor *cursor)
{
    const char *const at = corpus_take(cursor, 4);
    return at ? corpus_load32(at) : 0;
}

static inline uint64_t corpus_take64(corpus_cursor *cursor)
{
    const char *const at = corpus_take(cursor, 8);
    return at ? corpus_load64(at) : 0;
}

/* Adds a count that was read to `total`; false when there can't be so many. Held for all
 * counts of a file together, it keeps every later sum of them from overflow. */
static inline bool corpus_add_count(int64_t *total, uint64_t count)
{
    return count <= INT64_MAX && lmd_size_add(*total, (int64_t)count, total);
}

/* Against damage, not against malice: a chain of finalisers over words of 8 bytes. */
static inline uint64_t corpus_checksum(const char *bytes, size_t n_bytes)
{
    uint64_t sum = lmd_hash_mix(n_bytes + 1);
    size_t at = 0;
    for (; n_bytes - at >= 8; at += 8) {
        sum = lmd_hash_mix(sum + corpus_load64(bytes + at)) + 1;
    }
    uint64_t rest = 0;
    for (; at < n_bytes; at++) {
        rest = rest << 8 | (unsigned char)bytes[at];
    }
    return lmd_hash_mix(sum + rest);
}

#endif
