/* What the tests of the corpus share: a folder of files made by the test, a tokenizer
 * whose ids are bytes, and a spool printed as text.
 *
 * The tokenizer is byte-level BPE without merges over 256 bytes, so the ids of "ab" are
 * 97 98; 256 is the special token <s>. A spool is printed as
 *     group: fate=count ...
 *     specials=n
 *     T=n: [>ids< group offset next] ...        one line a pack
 * '>' and '<' stand where a prompt is the first and the last window of its record, '^'
 * for its BOS, '*' for another id 256, ids 33 to 126 for themselves, others are \number.
 */
#ifndef CORPUS_CASE_H
#define CORPUS_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <lmdepth/base/file.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/base/stream.h>
#include <lmdepth/corpus.h>

enum { CASE_V = 257, CASE_BOS = 256 };

typedef struct corpus_case {
    char folder[32];
    lmd_text path; /* of the last name */
    lmd_tokenizer *tokenizer;
    lmd_source sources[4];
    int n_sources;
    lmd_policy policy;
    int n_threads;
    lmd_corpus *corpus; /* of the last run */
    int64_t live;
} corpus_case;

/* "<folder>/<name>", valid until the next call. */
static inline const char *case_path(corpus_case *c, const char *name)
{
    c->path.size = 0;
    lmd_text_append_format(&c->path, "%s/%s", c->folder, name);
    return c->path.bytes;
}

static inline void case_write_bytes(corpus_case *c, const char *name, const void *bytes,
                                    size_t n_bytes)
{
    FILE *const file = fopen(case_path(c, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n_bytes, file), n_bytes);
    assert_int_equal(fclose(file), 0);
}

static inline void case_write(corpus_case *c, const char *name, const char *text)
{
    case_write_bytes(c, name, text, strlen(text));
}

/* The letter that stands for a byte in byte-level vocabularies. */
static inline uint32_t case_letter(int byte)
{
    int n_others = 0;
    for (int i = 0; i <= byte; i++) {
        const int stands_for_itself =
            (i >= 33 && i <= 126) || (i >= 161 && i <= 172) || i >= 174;
        if (i == byte && stands_for_itself) {
            return (uint32_t)byte;
        }
        n_others += !stands_for_itself;
    }
    return (uint32_t)(256 + n_others - 1);
}

static inline void case_write_tokenizer(corpus_case *c)
{
    lmd_text json = {0};
    lmd_text_append_string(
        &json,
        "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":"
        "[{\"id\":256,\"content\":\"<s>\",\"single_word\":false,\"lstrip\":false,"
        "\"rstrip\":false,\"normalized\":false,\"special\":true}],"
        "\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"ByteLevel\","
        "\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true},"
        "\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\","
        "\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true},"
        "\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,"
        "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,"
        "\"fuse_unk\":false,\"byte_fallback\":false,\"merges\":[],\"vocab\":{");
    for (int byte = 0; byte < 256; byte++) {
        lmd_text_append_format(&json, "%s\"\\u%04x\":%d", byte > 0 ? "," : "",
                               (unsigned int)case_letter(byte), byte);
    }
    lmd_text_append_string(&json, "}}}");
    case_write_bytes(c, "tokenizer.json", json.bytes, json.size);
    lmd_text_clear(&json);
}

/* One source of all files "*.in", windows of 8, packs of 16, no BOS, one thread. */
static inline void case_begin(corpus_case *c)
{
    *c = (corpus_case){.live = lmd_memory_live(), .n_threads = 1};
    strcpy(c->folder, "/tmp/lmdepth-corpus-XXXXXX");
    assert_non_null(mkdtemp(c->folder));
    case_write_tokenizer(c);
    assert_int_equal(lmd_token_open(&c->tokenizer, case_path(c, "tokenizer.json")),
                     LMD_OK);
    assert_int_equal(lmd_token_vocab(c->tokenizer), CASE_V);
    c->policy = (lmd_policy){.bos = -1,
                             .length = 8,
                             .when_long = LMD_LONG_SPLIT,
                             .sample = 1,
                             .pack_tokens = 16,
                             .V = CASE_V};
}

/* Adds a source; `path` is a glob in the folder. */
static inline lmd_source *case_add(corpus_case *c, const char *path, const char *format)
{
    lmd_source *const source = &c->sources[c->n_sources++];
    *source = (lmd_source){.path = lmd_memory_copy_text(case_path(c, path)),
                           .format = format,
                           .field = "text",
                           .where = "demo.yaml:7"};
    return source;
}

static inline void case_forget_sources(corpus_case *c)
{
    for (int i = 0; i < c->n_sources; i++) {
        union {
            const char *borrowed;
            char *owned;
        } path = {c->sources[i].path};
        lmd_memory_free(path.owned);
    }
    c->n_sources = 0;
}

static inline void case_end(corpus_case *c)
{
    lmd_corpus_close(c->corpus);
    case_forget_sources(c);
    lmd_token_close(c->tokenizer);
    assert_int_equal(lmd_file_remove_tree(c->folder), LMD_OK);
    lmd_text_clear(&c->path);
    assert_int_equal(lmd_memory_live(), c->live);
}

static inline lmd_status case_prepare_unit(const corpus_case *c, lmd_preparer *preparer,
                                           int unit, const char *spool)
{
    lmd_reader *reader;
    bool more = true;
    lmd_status status = lmd_reader_open(&reader, c->corpus, unit, &c->policy);
    while (status == LMD_OK && more) {
        lmd_text piece = {0};
        status = lmd_reader_next(reader, &piece, &more);
        if (status == LMD_OK && more) {
            status = lmd_preparer_work(preparer, &piece, 0, spool);
        }
        lmd_text_clear(&piece);
    }
    lmd_reader_close(reader);
    return status;
}

/* Prepares the corpus into "<folder>/spool" and collects it. With `is_again` the chunks
 * are taken as they lie there. */
static inline lmd_status case_run_into(corpus_case *c, lmd_spool **spool, bool is_again)
{
    char *const folder = lmd_file_join(c->folder, "spool");
    lmd_corpus_close(c->corpus);
    c->corpus = NULL;
    lmd_status status = lmd_corpus_open(&c->corpus, c->sources, c->n_sources);
    *spool = NULL;
    if (status == LMD_OK) {
        lmd_team *const team = lmd_team_new(c->n_threads);
        lmd_preparer *const preparer =
            lmd_preparer_new(c->corpus, c->tokenizer, &c->policy, team);
        if (!is_again) {
            assert_int_equal(lmd_file_remove_tree(folder), LMD_OK);
            assert_int_equal(lmd_file_make_folders(folder), LMD_OK);
        }
        for (int u = 0; !is_again && status == LMD_OK && u < lmd_corpus_units(c->corpus);
             u++) {
            status = case_prepare_unit(c, preparer, u, folder);
        }
        if (status == LMD_OK) {
            status = lmd_spool_collect(spool, c->corpus, &c->policy, preparer, folder);
        }
        lmd_preparer_free(preparer);
        lmd_team_free(team);
    }
    lmd_memory_free(folder);
    return status;
}

static inline lmd_spool *case_run(corpus_case *c)
{
    lmd_spool *spool;
    if (case_run_into(c, &spool, false) != LMD_OK) {
        fail_msg("%s", lmd_status_message());
    }
    return spool;
}

static inline void case_print_id(uint32_t id, lmd_text *out)
{
    if (id == CASE_BOS) {
        lmd_text_append_string(out, "*");
    } else if (id > 32 && id < 127) {
        lmd_text_append_format(out, "%c", (char)id);
    } else {
        lmd_text_append_format(out, "\\%u", (unsigned int)id);
    }
}

static inline void case_print_prompt(const lmd_spool *spool, const lmd_pack *pack, int i,
                                     lmd_text *out)
{
    const lmd_prompt *const prompt = &pack->prompts[i];
    lmd_text_append_format(out, " [%s", prompt->is_first ? ">" : "");
    if (prompt->has_bos) {
        assert_int_equal(pack->ids[pack->starts[i]], CASE_BOS);
        lmd_text_append_string(out, "^");
    }
    for (int t = pack->starts[i] + prompt->has_bos; t < pack->starts[i + 1]; t++) {
        case_print_id(pack->ids[t], out);
    }
    lmd_text_append_format(out, "%s %s %lld ", prompt->is_last ? "<" : "",
                           lmd_spool_group(spool, prompt->group),
                           (long long)prompt->offset);
    if (prompt->next < 0) {
        lmd_text_append_string(out, "-");
    } else {
        case_print_id((uint32_t)prompt->next, out);
    }
    lmd_text_append_string(out, "]");
}

static inline void case_print_records(const lmd_spool *spool, lmd_text *out)
{
    const int n = lmd_spool_groups(spool);
    int64_t *const counts = lmd_memory_new((size_t)n * LMD_FATE_COUNT, sizeof *counts);
    lmd_spool_records(spool, 0, 1, counts);
    for (int g = 0; g < n; g++) {
        lmd_text_append_format(out, "%s:", lmd_spool_group(spool, g));
        for (int fate = 0; fate < LMD_FATE_COUNT; fate++) {
            const int64_t count = counts[g * LMD_FATE_COUNT + fate];
            if (count != 0) {
                lmd_text_append_format(out, " %s=%lld", lmd_fate_names[fate],
                                       (long long)count);
            }
        }
        lmd_text_append_string(out, "\n");
    }
    lmd_memory_free(counts);
    lmd_text_append_format(out, "specials=%lld\n",
                           (long long)lmd_spool_specials(spool, 0, 1));
}

static inline void case_print(const lmd_spool *spool, lmd_text *out)
{
    lmd_pack_room *const room = lmd_pack_new_room();
    int64_t n_tokens = 0;
    case_print_records(spool, out);
    for (int64_t i = 0; i < lmd_spool_packs(spool); i++) {
        const lmd_pack *pack;
        if (lmd_spool_read_pack(spool, i, room, &pack) != LMD_OK) {
            fail_msg("%s", lmd_status_message());
        }
        assert_int_equal(pack->T, lmd_spool_pack_tokens(spool, i));
        n_tokens += pack->T;
        lmd_text_append_format(out, "T=%d:", pack->T);
        for (int p = 0; p < pack->n_prompts; p++) {
            case_print_prompt(spool, pack, p, out);
        }
        lmd_text_append_string(out, "\n");
    }
    assert_int_equal(n_tokens, lmd_spool_tokens(spool));
    lmd_pack_free_room(room);
}

/* Runs, and holds the printed spool against `expected`. */
static inline void case_expect(corpus_case *c, const char *expected)
{
    lmd_text text = {0};
    lmd_spool *const spool = case_run(c);
    case_print(spool, &text);
    lmd_spool_close(spool);
    if (strcmp(text.bytes, expected) != 0) {
        fail_msg("expected:\n%sgot:\n%s", expected, text.bytes);
    }
    lmd_text_clear(&text);
}

/* One file of one format, from bytes to spool. */
static inline void case_expect_file(const char *format, const void *bytes, size_t n_bytes,
                                    const char *expected)
{
    corpus_case c;
    case_begin(&c);
    c.policy.length = 64;
    c.policy.pack_tokens = 64;
    case_write_bytes(&c, "a.in", bytes, n_bytes);
    case_add(&c, "a.in", format);
    case_expect(&c, expected);
    case_end(&c);
}

#endif
