/* SHA-256 (provenance, fingerprints) and the finaliser of SplitMix64 (every choice that
 * looks like chance: sampling, folds). */
#ifndef LMDEPTH_BASE_HASH_H
#define LMDEPTH_BASE_HASH_H

#include <stddef.h> /* size_t */
#include <stdint.h> /* uint64_t */

typedef struct lmd_sha256 lmd_sha256;

enum { LMD_SHA256_HEX = 65 }; /* 64 hexadecimal digits and a zero */

lmd_sha256 *lmd_sha256_new(void);
void lmd_sha256_add(lmd_sha256 *sha, const void *bytes, size_t n_bytes);
/* Writes the digest of all that was added; the object can only be freed afterwards. */
void lmd_sha256_finish(lmd_sha256 *sha, char hex[LMD_SHA256_HEX]);
void lmd_sha256_free(lmd_sha256 *sha);

/* Digest of one buffer. */
void lmd_sha256_of(const void *bytes, size_t n_bytes, char hex[LMD_SHA256_HEX]);

/* h(x): the finaliser (mix13 variant) of SplitMix64, Steele, Lea and Flood 2014. A
 * bijection of 64-bit integers; h(0) = 0. */
static inline uint64_t lmd_hash_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* Is h < share * 2^64? share in [0, 1]; 1 is always true, 0 never. */
int lmd_hash_is_below(uint64_t h, double share);

#endif
