/* Snapshots. The first byte says what the rest is: lines and packs, and behind the mark
 * the values, which are compressed here; two frames as they are; or a whole file. The
 * checksum is set right but for the last, or mutations would never come behind it. */
#include <stdlib.h> /* abort */
#include <string.h> /* memcpy */
#include <lmdepth/base/hash.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/base/stream.h>
#include <lmdepth/output.h>
#include "fuzz_input.h"

enum { PACKS = 70, WORDS = 3, VALUES = 5 };

#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

typedef struct held {
    lmd_snapshot snapshot;
    int64_t done[WORDS], values[VALUES];
} held;

static void begin(held *it)
{
    *it = (held){
        .snapshot = {.fingerprint = FINGERPRINT, .n_packs = PACKS, .n_values = VALUES}};
    it->snapshot.done = it->done;
    it->snapshot.values = it->values;
}

static void append_frame(lmd_text *out, fuzz_bytes part, bool is_compressed)
{
    if (is_compressed) {
        lmd_stream_compress(part.at, part.n, 1, out);
    } else {
        lmd_text_append(out, part.n > 0 ? (const char *)part.at : "", part.n);
    }
}

static const char *write_file(fuzz_bytes input)
{
    const unsigned int kind = fuzz_choose(&input, 3);
    if (kind == 2) {
        return fuzz_write("state.1.0", input);
    }
    lmd_text body = {0};
    lmd_text file = {0};
    char hex[LMD_SHA256_HEX];
    append_frame(&body, fuzz_next_part(&input), kind == 0);
    const size_t n_meta = body.size;
    append_frame(&body, input, kind == 0);
    lmd_sha256_of(lmd_text_string(&body), body.size, hex);
    lmd_text_append_format(&file, "lmdepth snapshot 1 %zu %zu %s\n", n_meta,
                           body.size - n_meta, hex);
    lmd_text_append(&file, lmd_text_string(&body), body.size);
    const char *const path =
        fuzz_write("state.1.0", (fuzz_bytes){(const uint8_t *)file.bytes, file.size});
    lmd_text_clear(&body);
    lmd_text_clear(&file);
    return path;
}

/* Only packs that there are, numbers that can be added; and never added twice. */
static void check(const char *path, held *it, lmd_text *story)
{
    const lmd_effort *const effort = &it->snapshot.effort;
    const int64_t any = it->done[0] | it->done[1] | it->done[2];
    if ((it->done[0] | it->done[1]) >> 32 != 0 || it->done[2] >> 6 != 0 ||
        effort->packs < 0 || effort->packs > PACKS || effort->tokens < 0 ||
        effort->positions < 0 || !(effort->flops >= 0) || !(effort->seconds >= 0) ||
        (lmd_snapshot_add(path, &it->snapshot, story) == LMD_OK) != (any == 0)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    held it;
    lmd_text story = {0};
    fuzz_check_memory();
    begin(&it);
    const char *const path = write_file((fuzz_bytes){bytes, n_bytes});
    if (fuzz_is_read(lmd_snapshot_add(path, &it.snapshot, &story))) {
        check(path, &it, &story);
    } else if (it.done[0] || it.values[0] || story.size > 0) {
        abort();
    }
    lmd_snapshot seen;
    story.size = 0;
    if (lmd_snapshot_peek(path, &seen, &story) == LMD_OK &&
        (seen.effort.packs < 0 || seen.effort.packs > seen.n_packs)) {
        abort();
    }
    lmd_text_clear(&story);
    fuzz_check_memory();
    return 0;
}
