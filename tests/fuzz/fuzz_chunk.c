/* A chunk file of the work folder, taken up by a run that goes on: header, tables and
 * packs. The checksums are set right where what they are of lies inside the file. One
 * byte chooses the record limit. */
#include <stdlib.h> /* abort */
#include <string.h> /* memcpy */
#include <lmdepth/base/file.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/corpus.h>
#include "../../src/corpus/chunk.h"
#include "../../src/corpus/corpus_bytes.h"
#include "fuzz_input.h"

enum { V = 20, PACK_TOKENS = 16, HEADER_BYTES = 120, STAMP_AT = 112, TABLES_AT = 80 };
enum { N_PACKS_AT = 44, TABLES_SUM_AT = TABLES_AT + 8 };

/* A corpus of ids, the only one that needs no tokenizer, and what prepares it. */
typedef struct setting {
    lmd_corpus *corpus;
    lmd_preparer *preparer;
    lmd_policy policy;
    char *spool;
} setting;

static setting *get_setting(void)
{
    static setting it;
    if (!it.corpus) {
        static const char ids[] = "1 2 3\n4 5 6 7 8\n";
        const lmd_source source = {
            .path =
                fuzz_write("a.ids", (fuzz_bytes){(const uint8_t *)ids, sizeof ids - 1}),
            .format = "ids",
            .field = "text",
            .where = "fuzz"};
        it.policy = (lmd_policy){.bos = -1,
                                 .length = 8,
                                 .when_long = LMD_LONG_SPLIT,
                                 .sample = 1,
                                 .seed = 1,
                                 .pack_tokens = PACK_TOKENS,
                                 .V = V};
        it.spool = lmd_file_join(fuzz_folder(), "spool");
        if (lmd_corpus_open(&it.corpus, &source, 1) != LMD_OK ||
            lmd_file_make_folders(it.spool) != LMD_OK) {
            abort();
        }
        it.preparer = lmd_preparer_new(it.corpus, NULL, &it.policy, lmd_team_new(1));
    }
    return &it;
}

static void set_pack_sums(lmd_text *image, size_t n_packs)
{
    for (size_t i = 0; i < n_packs && (i + 1) * CHUNK_PACK_BYTES <= image->size; i++) {
        char *const row = image->bytes + image->size - (i + 1) * CHUNK_PACK_BYTES;
        const chunk_pack pack = chunk_parse_pack(row);
        const size_t size = chunk_pack_size(&pack);
        if (pack.at <= image->size && size <= image->size - pack.at) {
            corpus_store64(row + 16, corpus_checksum(image->bytes + pack.at, size));
        }
    }
}

/* Packs first: their sums are in the tables, whose sum is in the header. */
static void set_sums(lmd_text *image)
{
    if (image->size < HEADER_BYTES) {
        return;
    }
    const uint64_t tables_at = corpus_load64(image->bytes + TABLES_AT);
    set_pack_sums(image, corpus_load32(image->bytes + N_PACKS_AT));
    if (tables_at <= image->size) {
        corpus_store64(
            image->bytes + TABLES_SUM_AT,
            corpus_checksum(image->bytes + tables_at, image->size - (size_t)tables_at));
    }
    corpus_store64(image->bytes + STAMP_AT, corpus_checksum(image->bytes, STAMP_AT));
}

static void read_packs(const lmd_spool *spool)
{
    lmd_pack_room *const room = lmd_pack_new_room();
    for (int64_t i = 0; i < lmd_spool_packs(spool); i++) {
        const lmd_pack *pack = NULL;
        if (!fuzz_is_read(lmd_spool_read_pack(spool, i, room, &pack))) {
            continue;
        }
        if (pack->T > PACK_TOKENS || pack->starts[pack->n_prompts] != pack->T) {
            abort();
        }
        for (int t = 0; t < pack->T; t++) {
            if (pack->ids[t] >= V) {
                abort();
            }
        }
        for (int p = 0; p < pack->n_prompts; p++) {
            const lmd_prompt *const prompt = &pack->prompts[p];
            if (prompt->group < 0 || prompt->group >= lmd_spool_groups(spool) ||
                prompt->next < -1 || prompt->next >= V) {
                abort();
            }
        }
    }
    lmd_pack_free_room(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_bytes input = {bytes, n_bytes};
    setting *const it = get_setting();
    lmd_spool *spool = NULL;
    lmd_text image = {0};
    fuzz_check_memory();
    it->policy.limit = fuzz_choose(&input, 4);
    lmd_text_append(&image, input.n > 0 ? (const char *)input.at : "", input.n);
    set_sums(&image);
    (void)fuzz_write("spool/chunk.000000.000000",
                     (fuzz_bytes){(const uint8_t *)image.bytes, image.size});
    if (fuzz_is_read(lmd_spool_collect(&spool, it->corpus, &it->policy, it->preparer,
                                       it->spool))) {
        read_packs(spool);
        lmd_spool_close(spool);
    }
    lmd_text_clear(&image);
    fuzz_check_memory();
    return 0;
}
