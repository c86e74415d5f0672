/* From a file to packs: every corpus format, plain and compressed, cut into small chunks
 * and packs, written into a spool and read back. Four bytes choose format, ending, policy
 * and sizes; the file is the rest. */
#include <stdlib.h> /* abort */
#include <string.h> /* strlen */
#include <lmdepth/base/file.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/corpus.h>
#include "../../src/token/tokenizer.h"
#include "fuzz_input.h"

enum { V = 260, BOS = 259 };

/* All ids below V, and what encodes text to them. */
typedef struct setting {
    lmd_tokenizer *tokenizer;
    lmd_team *team;
    char *spool;
} setting;

static void add_letters(lmd_text *json, int from, int to, int *id)
{
    for (int letter = from; letter <= to; letter++) {
        lmd_text_append_format(json, "\"\\u%04x\":%d,", (unsigned int)letter, (*id)++);
    }
}

/* Bytes, byte-level, two merges and a BOS. */
static lmd_tokenizer *make_tokenizer(void)
{
    lmd_text json = {0};
    lmd_tokenizer *tokenizer = NULL;
    int id = 0;
    lmd_text_append_string(
        &json, "{\"added_tokens\":[{\"id\":259,\"content\":\"<s>\",\"special\":true,"
               "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
               "\"normalized\":false}],\"normalizer\":null,\"post_processor\":null,"
               "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
               "\"use_regex\":true},\"model\":{\"type\":\"BPE\","
               "\"merges\":[\"t e\",\"te x\"],\"vocab\":{");
    add_letters(&json, '!', '~', &id);
    add_letters(&json, 0xa1, 0xac, &id);
    add_letters(&json, 0xae, 0x143, &id);
    lmd_text_append_format(&json, "\"te\":%d,\"tex\":%d,\"last\":%d}}}", id, id + 1,
                           id + 2);
    if (lmd_tokenizer_open_json_bytes(&tokenizer, json.bytes, json.size) != LMD_OK) {
        abort();
    }
    lmd_text_clear(&json);
    return tokenizer;
}

static const setting *get_setting(void)
{
    static setting it;
    if (!it.tokenizer) {
        it.tokenizer = make_tokenizer();
        it.team = lmd_team_new(1);
        it.spool = lmd_file_join(fuzz_folder(), "spool");
        if (lmd_file_make_folders(it.spool) != LMD_OK) {
            abort();
        }
    }
    return &it;
}

static lmd_policy choose_policy(unsigned int choice, unsigned int sizes)
{
    static const lmd_long longs[] = {LMD_LONG_SPLIT, LMD_LONG_HEAD, LMD_LONG_TAIL,
                                     LMD_LONG_SKIP};
    return (lmd_policy){
        .bos = choice & 4 ? BOS : -1,
        .length = 4 + (int)(sizes % 16),
        .when_long = longs[choice % 4],
        .sample = choice & 8 ? 0.5 : 1,
        .limit = choice & 16 ? 3 : 0,
        .seed = 1,
        .pack_tokens = 32,
        .V = V,
        .chunk_bytes = 16 << (sizes / 16 % 8),
    };
}

static lmd_status prepare(const lmd_corpus *corpus, const lmd_policy *policy,
                          lmd_preparer *preparer, const char *spool)
{
    lmd_reader *reader = NULL;
    bool more = true;
    lmd_status status = lmd_reader_open(&reader, corpus, 0, policy);
    while (status == LMD_OK && more) {
        lmd_text piece = {0};
        status = lmd_reader_next(reader, &piece, &more);
        if (status == LMD_OK && more) {
            status = lmd_preparer_work(preparer, &piece, 0, spool);
        }
        lmd_text_clear(&piece);
    }
    if (status == LMD_OK) {
        lmd_text hashes = {0};
        status = lmd_reader_hashes(reader, &hashes);
        lmd_text_clear(&hashes);
    }
    lmd_reader_close(reader);
    return status;
}

static int64_t read_packs(const lmd_spool *spool)
{
    lmd_pack_room *const room = lmd_pack_new_room();
    int64_t n_tokens = 0;
    for (int64_t i = 0; i < lmd_spool_packs(spool); i++) {
        const lmd_pack *pack = NULL;
        if (lmd_spool_read_pack(spool, i, room, &pack) != LMD_OK ||
            pack->T != lmd_spool_pack_tokens(spool, i) ||
            pack->starts[pack->n_prompts] != pack->T) {
            abort();
        }
        for (int t = 0; t < pack->T; t++) {
            if (pack->ids[t] >= V) {
                abort();
            }
        }
        n_tokens += pack->T;
    }
    lmd_pack_free_room(room);
    return n_tokens;
}

static void check_spool(const lmd_spool *spool, const char *folder)
{
    lmd_text index = {0};
    lmd_text fingerprint = {0};
    lmd_spool *again = NULL;
    lmd_spool_write_index(spool, "f", &index);
    if (read_packs(spool) != lmd_spool_tokens(spool) ||
        lmd_spool_read_index(&again, index.bytes, index.size, folder, &fingerprint) !=
            LMD_OK ||
        lmd_spool_packs(again) != lmd_spool_packs(spool)) {
        abort();
    }
    lmd_spool_close(again);
    lmd_text_clear(&fingerprint);
    lmd_text_clear(&index);
}

static void work(const lmd_source *source, const lmd_policy *policy)
{
    const setting *const it = get_setting();
    lmd_corpus *corpus = NULL;
    if (!fuzz_is_read(lmd_corpus_open(&corpus, source, 1))) {
        return;
    }
    lmd_preparer *const preparer =
        lmd_preparer_new(corpus, it->tokenizer, policy, it->team);
    lmd_spool *spool = NULL;
    if (fuzz_is_read(prepare(corpus, policy, preparer, it->spool)) &&
        fuzz_is_read(lmd_spool_collect(&spool, corpus, policy, preparer, it->spool))) {
        check_spool(spool, it->spool);
        lmd_spool_close(spool);
    }
    if (lmd_file_remove_tree(it->spool) != LMD_OK ||
        lmd_file_make_folders(it->spool) != LMD_OK) {
        abort();
    }
    lmd_preparer_free(preparer);
    lmd_corpus_close(corpus);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static const char *const formats[] = {"lines", "paragraphs", "document", "jsonl",
                                          "ids"};
    static const char *const names[] = {"a.in", "a.in.gz", "a.in.zst"};
    fuzz_bytes input = {bytes, n_bytes};
    (void)get_setting();
    fuzz_check_memory();
    lmd_source source = {.field = "text", .where = "fuzz"};
    source.format = formats[fuzz_choose(&input, 5)];
    const char *const name = names[fuzz_choose(&input, 3)];
    const unsigned int choice = fuzz_choose(&input, 256);
    const lmd_policy policy = choose_policy(choice, fuzz_choose(&input, 256));
    source.group_field = strcmp(source.format, "jsonl") == 0 ? "m.g" : NULL;
    source.path = fuzz_write(name, input);
    work(&source, &policy);
    fuzz_check_memory();
    return 0;
}
