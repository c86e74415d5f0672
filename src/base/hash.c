/* SHA-256 by OpenSSL's EVP interface, which chooses the processor's own instructions. */
#include <lmdepth/base/hash.h>

#include <lmdepth/base/log.h>    /* lmd_log_fatal */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/status.h> /* LMD_RESOURCE */
#include <math.h>                /* ceil */
#include <openssl/evp.h>         /* EVP_MD_CTX */

struct lmd_sha256 {
    EVP_MD_CTX *context; /* owned */
};

/* None of these calls depends on the data: when one fails, the library is unusable. */
static void require(int is_done)
{
    if (!is_done) {
        lmd_log_fatal(LMD_RESOURCE, "libcrypto does not give SHA-256");
    }
}

lmd_sha256 *lmd_sha256_new(void)
{
    lmd_sha256 *const sha = lmd_memory_new(1, sizeof *sha);
    sha->context = EVP_MD_CTX_new();
    require(sha->context != NULL);
    require(EVP_DigestInit_ex(sha->context, EVP_sha256(), NULL));
    return sha;
}

void lmd_sha256_add(lmd_sha256 *sha, const void *bytes, size_t n_bytes)
{
    require(EVP_DigestUpdate(sha->context, bytes, n_bytes));
}

void lmd_sha256_finish(lmd_sha256 *sha, char hex[LMD_SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    require(EVP_DigestFinal_ex(sha->context, digest, &size) && size == 32);
    for (size_t i = 0; i < size; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[LMD_SHA256_HEX - 1] = 0;
}

void lmd_sha256_free(lmd_sha256 *sha)
{
    if (sha) {
        EVP_MD_CTX_free(sha->context);
        lmd_memory_free(sha);
    }
}

void lmd_sha256_of(const void *bytes, size_t n_bytes, char hex[LMD_SHA256_HEX])
{
    lmd_sha256 *const sha = lmd_sha256_new();
    lmd_sha256_add(sha, bytes, n_bytes);
    lmd_sha256_finish(sha, hex);
    lmd_sha256_free(sha);
}

/* share * 2^64 is exact in a double, and below 1 at most 2^64 - 2^11; h is an integer, so
 * it is below that product exactly when it is below its ceiling. */
int lmd_hash_is_below(uint64_t h, double share)
{
    if (!(share > 0)) {
        return 0;
    }
    return share >= 1 || h < (uint64_t)ceil(share * 0x1p64);
}
