/* The job file: every key, every way to write a value, and what is said of each mistake.
 * Jobs are given in memory, in a folder "jobs". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <lmdepth/base/memory.h>
#include <lmdepth/job.h>

#define LEAST "model: {path: m.gguf}\ncorpus: [{path: a.txt}]\noutput: out.nc\n"

static lmd_status parse_set(lmd_job **job, const char *text, const char *key,
                            const char *value)
{
    const lmd_job_override override = {key, value, "--set"};
    return lmd_job_parse(job, "jobs/demo.yaml", text, strlen(text), &override,
                         key != NULL);
}

static lmd_job *parse(const char *text)
{
    lmd_job *job;
    if (parse_set(&job, text, NULL, NULL) != LMD_OK) {
        fail_msg("%s", lmd_status_message());
    }
    return job;
}

static lmd_job *parse_with(const char *text, const char *key, const char *value)
{
    lmd_job *job;
    if (parse_set(&job, text, key, value) != LMD_OK) {
        fail_msg("%s", lmd_status_message());
    }
    return job;
}

/* The job is refused as usage, with all of `parts` (ended by NULL) in the message. */
static void assert_refused(const char *text, const char *key, const char *value,
                           const char *const *parts)
{
    lmd_job *job;
    assert_int_equal(parse_set(&job, text, key, value), LMD_USAGE);
    assert_null(job);
    for (int i = 0; parts[i]; i++) {
        if (!strstr(lmd_status_message(), parts[i])) {
            fail_msg("'%s' is not in: %s", parts[i], lmd_status_message());
        }
    }
}

#define REFUSED(text, ...)                                                               \
    assert_refused(text, NULL, NULL, (const char *const[]){__VA_ARGS__, NULL})
#define REFUSED_SET(text, key, value, ...)                                               \
    assert_refused(text, key, value, (const char *const[]){__VA_ARGS__, NULL})

static void test_defaults(void **state)
{
    (void)state;
    lmd_job *const job = parse(LEAST);
    assert_string_equal(job->title, "");
    assert_string_equal(job->model_path, "jobs/m.gguf");
    assert_string_equal(job->precision, "f32");
    assert_string_equal(job->tokenizer, "auto");
    assert_int_equal(job->n_sources, 1);
    assert_string_equal(job->sources[0].path, "jobs/a.txt");
    assert_string_equal(job->sources[0].format, "auto");
    assert_string_equal(job->sources[0].field, "text");
    assert_null(job->sources[0].group);
    assert_null(job->sources[0].group_field);
    assert_string_equal(job->sources[0].where, "jobs/demo.yaml:2");
    assert_string_equal(job->bos, "auto");
    assert_int_equal(job->length, 0);
    assert_string_equal(job->when_long, "split");
    assert_true(job->sample == 1.0);
    assert_int_equal(job->limit, 0);
    assert_string_equal(job->positions, "all");
    assert_int_equal(job->skip, 0);
    assert_string_equal(job->states, "all");
    assert_int_equal(job->n_lenses, 1);
    assert_string_equal(job->lenses[0].kind, "logit");
    assert_null(job->lenses[0].path);
    assert_null(job->lenses[0].name);
    assert_string_equal(job->metrics, "bucket,onset,entropy,divergence");
    assert_int_equal(job->folds, 1);
    assert_string_equal(job->frequency_from, "corpus");
    assert_string_equal(job->specials, "drop");
    assert_int_equal(job->pack_tokens, 2048);
    assert_int_equal(job->seed, 0);
    assert_string_equal(job->output, "jobs/out.nc");
    assert_string_equal(lmd_job_where(job, "prompts.length"), "jobs/demo.yaml");
    assert_string_equal(lmd_job_where(job, "output"), "jobs/demo.yaml:3");
    lmd_job_free(job);
}

static const char full[] = "title: 'A: \"title\"'\n"
                           "model:\n"
                           "  path: /m/model\n"
                           "  precision: bf16\n"
                           "  tokenizer: ../tok.json\n"
                           "corpus:\n"
                           "  - path: corpus/*.jsonl.zst\n"
                           "    format: jsonl\n"
                           "    field: meta.text\n"
                           "    group: wiki\n"
                           "  - {path: b.jsonl, group_field: meta.set}\n"
                           "  - c.txt\n"
                           "prompts: {bos: never, length: \"1024\", long: tail,\n"
                           "          sample: 0.25, limit: 7}\n"
                           "observe:\n"
                           "  positions: every 8\n"
                           "  skip: 2\n"
                           "  states: [0-30, -1]\n"
                           "  lenses: [{kind: logit, name: mine}, other]\n"
                           "  metrics: [bucket, onset]\n"
                           "  folds: 10\n"
                           "frequency: {from: f.tsv, specials: keep}\n"
                           "run: {pack_tokens: 4096, seed: 9223372036854775807}\n"
                           "output: /o/out.nc\n";

static void assert_full(const lmd_job *job)
{
    assert_string_equal(job->title, "A: \"title\"");
    assert_string_equal(job->model_path, "/m/model");
    assert_string_equal(job->precision, "bf16");
    assert_string_equal(job->tokenizer, "jobs/../tok.json");
    assert_int_equal(job->n_sources, 3);
    assert_string_equal(job->sources[0].path, "jobs/corpus/*.jsonl.zst");
    assert_string_equal(job->sources[0].format, "jsonl");
    assert_string_equal(job->sources[0].field, "meta.text");
    assert_string_equal(job->sources[0].group, "wiki");
    assert_string_equal(job->sources[1].group_field, "meta.set");
    assert_null(job->sources[1].group);
    assert_string_equal(job->sources[2].path, "jobs/c.txt");
    assert_string_equal(job->bos, "never");
    assert_int_equal(job->length, 1024);
    assert_string_equal(job->when_long, "tail");
    assert_true(job->sample == 0.25);
    assert_int_equal(job->limit, 7);
    assert_string_equal(job->positions, "every 8");
    assert_int_equal(job->skip, 2);
    assert_string_equal(job->states, "0-30,-1");
    assert_int_equal(job->n_lenses, 2);
    assert_string_equal(job->lenses[0].name, "mine");
    assert_string_equal(job->lenses[1].kind, "other");
    assert_string_equal(job->metrics, "bucket,onset");
    assert_int_equal(job->folds, 10);
    assert_string_equal(job->frequency_from, "jobs/f.tsv");
    assert_string_equal(job->specials, "keep");
    assert_int_equal(job->pack_tokens, 4096);
    assert_true(job->seed == INT64_MAX);
}

static void test_every_key(void **state)
{
    (void)state;
    lmd_job *const job = parse(full);
    assert_full(job);
    assert_string_equal(job->output, "/o/out.nc");
    assert_string_equal(lmd_job_where(job, "observe.skip"), "jobs/demo.yaml:17");
    assert_string_equal(job->sources[1].where, "jobs/demo.yaml:11");
    lmd_job_free(job);
}

/* Written and read back, with an output, it is the same job; and written again the same
 * bytes. */
static void test_write(void **state)
{
    (void)state;
    lmd_text first = {0};
    lmd_text second = {0};
    lmd_job *job = parse(full);
    lmd_job_write(job, &first);
    lmd_job_free(job);
    assert_null(strstr(first.bytes, "output"));
    assert_non_null(strstr(first.bytes, "corpus/*.jsonl.zst"));
    assert_null(strstr(first.bytes, "jobs/"));

    job = parse_with(first.bytes, "output", "x.nc");
    assert_full(job);
    lmd_job_write(job, &second);
    lmd_job_free(job);
    assert_string_equal(first.bytes, second.bytes);
    lmd_text_clear(&first);
    lmd_text_clear(&second);
}

static void test_write_odd_strings(void **state)
{
    (void)state;
    static const char *const titles[] = {"",         " ",
                                         "~",        "a: b",
                                         "- x",      "#",
                                         "\"'",      "two\nlines\n",
                                         "tab\t",    "\xe2\x80\xa8",
                                         "\xc2\x85", "\xc3\xa4\xf0\x9f\x98\x80",
                                         "*x",       "&x",
                                         "!x",       "%",
                                         "@",        "'",
                                         "[",        "null"};
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
        lmd_text text = {0};
        lmd_job *job = parse_with(LEAST, "title", titles[i]);
        assert_string_equal(job->title, titles[i]);
        lmd_job_write(job, &text);
        lmd_job_free(job);
        job = parse_with(text.bytes, "output", "x.nc");
        assert_string_equal(job->title, titles[i]);
        lmd_job_free(job);
        lmd_text_clear(&text);
    }
}

static void test_real_reads_back(void **state)
{
    (void)state;
    static const char *const shares[] = {
        "0", "1", "0.1", "0.30000000000000004", "1e-300", "0.333333333333333315"};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        lmd_text text = {0};
        lmd_job *job = parse_with(LEAST, "prompts.sample", shares[i]);
        assert_true(job->sample == strtod(shares[i], NULL));
        lmd_job_write(job, &text);
        lmd_job_free(job);
        job = parse_with(text.bytes, "output", "x.nc");
        assert_true(job->sample == strtod(shares[i], NULL));
        lmd_job_free(job);
        lmd_text_clear(&text);
    }
}

static void test_lists(void **state)
{
    (void)state;
    lmd_job *job = parse(LEAST "observe: {metrics: 'bucket , onset', states: 3,\n"
                               "          lenses: 'logit,tuned'}\n");
    assert_string_equal(job->metrics, "bucket,onset");
    assert_string_equal(job->states, "3");
    assert_int_equal(job->n_lenses, 2);
    assert_string_equal(job->lenses[1].kind, "tuned");
    lmd_job_free(job);
    job = parse("model: {path: m}\noutput: o\ncorpus: {path: a.txt, group: g}\n");
    assert_int_equal(job->n_sources, 1);
    assert_string_equal(job->sources[0].group, "g");
    lmd_job_free(job);
    job = parse("model: {path: m}\noutput: o\ncorpus: a.txt, b.txt\n");
    assert_int_equal(job->n_sources, 2);
    assert_string_equal(job->sources[1].path, "jobs/b.txt");
    lmd_job_free(job);
    REFUSED(LEAST "observe: {metrics: []}", "demo.yaml:4", "observe.metrics");
    REFUSED(LEAST "observe: {metrics: 'a,,b'}", "demo.yaml:4", "observe.metrics");
    REFUSED(LEAST "observe: {metrics: {a: b}}", "demo.yaml:4", "observe.metrics");
    REFUSED(LEAST "observe: {lenses: []}", "demo.yaml:4", "observe.lenses");
    REFUSED("model: {path: m}\noutput: o\ncorpus: []\n", "demo.yaml:3", "corpus");
    REFUSED("model: {path: m}\noutput: o\ncorpus: [[a]]\n", "demo.yaml:3", "corpus");
}

static void test_json(void **state)
{
    (void)state;
    lmd_job *const job = parse("{\"model\": {\"path\": \"m\"}, \"corpus\": [\"a.txt\"],\n"
                               " \"output\": \"o.nc\", \"run\": {\"seed\": 5}}\n");
    assert_int_equal(job->seed, 5);
    lmd_job_free(job);
}

static void test_empty_section(void **state)
{
    (void)state;
    lmd_job *const job = parse(LEAST "prompts:\n  # length: 5\nobserve: {}\n");
    assert_int_equal(job->length, 0);
    lmd_job_free(job);
}

static void test_paths(void **state)
{
    (void)state;
    assert_int_equal(setenv("LMD_TEST_NAME", "there", 1), 0);
    assert_int_equal(unsetenv("LMD_TEST_UNSET"), 0);
    assert_int_equal(setenv("HOME", "/home/me", 1), 0);
    lmd_job *const job = parse("model: {path: ~/m, tokenizer: '${LMD_TEST_NAME}/t'}\n"
                               "corpus: /data/${LMD_TEST_NAME}/*.txt\n"
                               "output: a$b/${LMD_TEST_NAME}.nc\n"
                               "frequency: {from: ../f}\n");
    assert_string_equal(job->model_path, "/home/me/m");
    assert_string_equal(job->tokenizer, "jobs/there/t");
    assert_string_equal(job->sources[0].path, "/data/there/*.txt");
    assert_string_equal(job->output, "jobs/a$b/there.nc");
    assert_string_equal(job->frequency_from, "jobs/../f");
    lmd_text text = {0};
    lmd_job_write(job, &text);
    assert_non_null(strstr(text.bytes, "/data/${LMD_TEST_NAME}/*.txt"));
    lmd_text_clear(&text);
    lmd_job_free(job);
    REFUSED(LEAST "frequency:\n  from: ${LMD_TEST_UNSET}/x", "demo.yaml:5",
            "frequency.from", "LMD_TEST_UNSET");
    REFUSED(LEAST "frequency: {from: '${}'}", "demo.yaml:4", "frequency.from");
    REFUSED(LEAST "frequency: {from: '${HOME'}", "demo.yaml:4", "frequency.from");
    REFUSED(LEAST "frequency: {from: ''}", "demo.yaml:4", "frequency.from", "empty");
}

/* The folder of the job file is no pattern, whatever its name. */
static void test_glob_folder(void **state)
{
    (void)state;
    lmd_job *job;
    assert_int_equal(lmd_job_parse(&job, "a [1]*/x.yaml", LEAST, strlen(LEAST), NULL, 0),
                     LMD_OK);
    assert_string_equal(job->sources[0].path, "a \\[1]\\*/a.txt");
    assert_string_equal(job->output, "a [1]*/out.nc");
    lmd_job_free(job);
}

static void test_model_names(void **state)
{
    (void)state;
    static const struct {
        const char *written;
        const char *path;
    } cases[] = {
        {"org/name", "org/name"},
        {"org/na.me-1@refs/pr/1", "org/na.me-1@refs/pr/1"},
        {"models/a.gguf", "models/a.gguf"},
        {"../models", "../models"},
        {"./models", "./models"},
        {"a/b/c", "a/b/c"},
        {"tests/unit", "tests/unit"},
        {"/abs/x", "/abs/x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lmd_job *const job = parse_with(LEAST, "model.path", cases[i].written);
        assert_string_equal(job->model_path, cases[i].path);
        lmd_job_free(job);
    }
    lmd_job *job = parse("model: {path: org/name}\ncorpus: a\noutput: o\n");
    assert_string_equal(job->model_path, "org/name");
    lmd_job_free(job);
    job = parse("model: {path: org/x.gguf}\ncorpus: a\noutput: o\n");
    assert_string_equal(job->model_path, "jobs/org/x.gguf");
    lmd_job_free(job);
}

static void test_set(void **state)
{
    (void)state;
    lmd_job *job = parse_with(LEAST, "observe.metrics", "bucket,onset");
    assert_string_equal(job->metrics, "bucket,onset");
    assert_string_equal(lmd_job_where(job, "observe.metrics"), "--set");
    lmd_job_free(job);
    job = parse_with(LEAST, "output", "here.nc");
    assert_string_equal(job->output, "here.nc");
    lmd_job_free(job);
    job = parse_with(LEAST, "corpus", "x.txt,y.txt");
    assert_int_equal(job->n_sources, 2);
    assert_string_equal(job->sources[0].path, "x.txt");
    lmd_job_free(job);
    job = parse_with(LEAST, "corpus.field", "body");
    assert_string_equal(job->sources[0].path, "jobs/a.txt");
    assert_string_equal(job->sources[0].field, "body");
    lmd_job_free(job);
    job = parse_with("model: {path: m}\ncorpus: a.txt\noutput: o", "corpus.group", "g");
    assert_string_equal(job->sources[0].path, "jobs/a.txt");
    assert_string_equal(job->sources[0].group, "g");
    lmd_job_free(job);
    job = parse_with("model: {path: m}\noutput: o", "corpus.path", "g.txt");
    assert_string_equal(job->sources[0].path, "g.txt");
    lmd_job_free(job);
    job = parse_with(LEAST, "observe.lenses", "logit");
    assert_string_equal(job->lenses[0].kind, "logit");
    lmd_job_free(job);
    REFUSED_SET(full, "corpus.path", "x", "--set", "corpus.path", "one source");
    REFUSED_SET(LEAST, "prompts.lenght", "5", "--set", "prompts.length?");
    REFUSED_SET(LEAST, "prompts", "5", "--set", "prompts");
    REFUSED_SET(LEAST, "nonsense", "5", "--set", "nonsense");
    REFUSED_SET(LEAST, "prompts.length", "x", "--set", "prompts.length", "'x'");
    REFUSED_SET(LEAST, "title", "\xff", "--set", "title", "UTF-8");
    REFUSED_SET(LEAST, "output", "", "--set", "output", "empty");
}

static void test_later_override_wins(void **state)
{
    (void)state;
    const lmd_job_override overrides[] = {{"run.seed", "1", "--set"},
                                          {"run.seed", "2", "--set"}};
    lmd_job *job;
    assert_int_equal(lmd_job_parse(&job, "x.yaml", LEAST, strlen(LEAST), overrides, 2),
                     LMD_OK);
    assert_int_equal(job->seed, 2);
    lmd_job_free(job);
}

static void test_unknown_keys(void **state)
{
    (void)state;
    REFUSED(LEAST "promts:\n  length: 5\n", "demo.yaml:4", "promts");
    REFUSED(LEAST "prompts:\n  bos: auto\n  lenght: 5\n", "demo.yaml:6",
            "unknown key prompts.lenght", "did you mean prompts.length?");
    REFUSED(LEAST "length: 5\n", "demo.yaml:4", "did you mean prompts.length?");
    REFUSED(LEAST "zzzzzzzz: 5\n", "demo.yaml:4", "zzzzzzzz", "run.pack_tokens");
    REFUSED(LEAST "prompts.length: 5\n", "demo.yaml:4", "prompts.length", "--set");
    REFUSED("model: {path: m}\noutput: o\ncorpus:\n  - path: a\n    feild: x\n",
            "demo.yaml:5", "corpus.feild", "did you mean corpus.field?");
    REFUSED(LEAST "observe: {lenses: [{kid: logit}]}", "demo.yaml:4",
            "did you mean observe.lenses.kind?");
    REFUSED(LEAST "foo: 5\n", "demo.yaml:4", "unknown key foo; the keys are: ");
}

/* A mapping of very many keys, each compared with all before it, would take minutes. */
static void test_many_keys(void **state)
{
    (void)state;
    lmd_text text = {0};
    for (int i = 0; i < 90000; i++) {
        lmd_text_append_format(&text, "k%d: 1\n", i);
    }
    REFUSED(text.bytes, "demo.yaml:201", "more than 200 keys");
    lmd_text_clear(&text);
}

static void test_wrong_values(void **state)
{
    (void)state;
    REFUSED(LEAST "prompts: {length: many}", "demo.yaml:4", "prompts.length", "'many'");
    REFUSED(LEAST "prompts: {length: 1.5}", "prompts.length");
    REFUSED(LEAST "prompts: {length: -1}", "prompts.length", "from 0");
    REFUSED(LEAST "prompts: {length: 99999999999999999999}", "prompts.length");
    REFUSED(LEAST "prompts: {length: [5]}", "prompts.length", "single value");
    REFUSED(LEAST "prompts:\n  length:\n  limit: 3", "demo.yaml:5", "no value");
    REFUSED(LEAST "prompts: {sample: 1.1}", "prompts.sample", "from 0 to 1");
    REFUSED(LEAST "prompts: {sample: nan}", "prompts.sample");
    REFUSED(LEAST "prompts: {long: spilt}", "prompts.long", "split head tail skip");
    REFUSED(LEAST "prompts: {bos: aut}", "prompts.bos", "'aut'");
    REFUSED(LEAST "prompts: {bos: ''}", "prompts.bos");
    REFUSED(LEAST "prompts: {bos: 'auto always'}", "prompts.bos");
    REFUSED(LEAST "prompts: 5", "demo.yaml:4", "prompts");
    REFUSED(LEAST "prompts: [1]", "demo.yaml:4", "prompts");
    REFUSED(LEAST "observe: {folds: 0}", "observe.folds");
    REFUSED(LEAST "observe: {positions: every 0}", "demo.yaml:4", "observe.positions");
    REFUSED(LEAST "observe: {states: 1-}", "demo.yaml:4", "observe.states");
    REFUSED(LEAST "title: {a: b}", "title");
    REFUSED("model: m.gguf\ncorpus: a\noutput: o", "demo.yaml:1", "model");
}

static void test_missing(void **state)
{
    (void)state;
    REFUSED("corpus: a\noutput: o", "demo.yaml", "model.path is missing");
    REFUSED("model: {precision: f32}\ncorpus: a\noutput: o", "model.path is missing");
    REFUSED("model: {path: m}\noutput: o", "corpus is missing");
    REFUSED("model: {path: m}\ncorpus: a", "output is missing");
    REFUSED("model: {path: m}\ncorpus: [{group: a}]\noutput: o",
            "corpus.path is missing");
    REFUSED("", "empty");
    REFUSED("# nothing\n", "empty");
}

static void test_yaml(void **state)
{
    (void)state;
    REFUSED(LEAST "title: x\ntitle: y\n", "demo.yaml:5", "title", "demo.yaml:4");
    REFUSED(LEAST "prompts: {limit: 1, limit: 2}", "demo.yaml:4", "limit");
    REFUSED("model: [", "demo.yaml:");
    REFUSED("a: b: c\n", "demo.yaml:1");
    REFUSED(LEAST "\tx: y\n", "demo.yaml:4");
    REFUSED(LEAST "title: &x y\n", "demo.yaml:4", "anchor");
    REFUSED(LEAST "title: *x\n", "demo.yaml:4", "alias");
    REFUSED(LEAST "title: !!str y\n", "demo.yaml:4", "tag");
    REFUSED(LEAST "? [a]\n: b\n", "demo.yaml:4", "key");
    REFUSED(LEAST "---\ntitle: x\n", "demo.yaml:4", "second document");
    REFUSED("- a\n- b\n", "demo.yaml:1", "mapping");
    REFUSED("just text\n", "demo.yaml:1", "mapping");
    REFUSED(LEAST "title: \"a\\0b\"\n", "demo.yaml:4", "zero byte");
    REFUSED(LEAST "title: \xff\n", "demo.yaml");
    REFUSED("model: {path: [[[[[[[[[[[[x]]]]]]]]]]]]}", "demo.yaml:1", "levels");
}

static void test_file(void **state)
{
    (void)state;
    lmd_job *job;
    assert_int_equal(lmd_job_read(&job, "tests/no-such.yaml", NULL, 0), LMD_USAGE);
    assert_non_null(strstr(lmd_status_message(), "no-such.yaml"));
    assert_null(job);
    assert_int_equal(lmd_job_read(&job, "/", NULL, 0), LMD_USAGE);
    char path[] = "/tmp/lmdepth-job-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, LEAST, strlen(LEAST)), strlen(LEAST));
    assert_int_equal(close(file), 0);
    assert_int_equal(lmd_job_read(&job, path, NULL, 0), LMD_OK);
    assert_string_equal(job->output, "/tmp/out.nc");
    assert_string_equal(job->path, path);
    lmd_job_free(job);
    assert_int_equal(unlink(path), 0);
}

static void test_help(void **state)
{
    (void)state;
    static const char *const names[] = {
        "title",           "model.path", "corpus.group_field", "observe.lenses.kind",
        "run.pack_tokens", "output"};
    lmd_text text = {0};
    lmd_job_help(&text);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_non_null(strstr(text.bytes, names[i]));
    }
    for (const char *line = text.bytes; *line; line = strchr(line, '\n') + 1) {
        assert_true(strcspn(line, "\n") <= 90);
    }
    lmd_text_clear(&text);
}

static void test_positions(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",          "al",        "all 1",     "every",  "every 0",
        "every -1",  "every 1.5", "every8",    "sample", "sample 1.1",
        "sample -1", "sample x",  "every 8 9", "lastly"};
    lmd_positions positions;
    assert_int_equal(lmd_job_parse_positions(" all ", &positions), LMD_OK);
    assert_int_equal(positions.kind, LMD_POSITIONS_ALL);
    assert_int_equal(lmd_job_parse_positions("last", &positions), LMD_OK);
    assert_int_equal(positions.kind, LMD_POSITIONS_LAST);
    assert_int_equal(lmd_job_parse_positions("every  8 ", &positions), LMD_OK);
    assert_int_equal(positions.kind, LMD_POSITIONS_EVERY);
    assert_int_equal(positions.every, 8);
    assert_int_equal(lmd_job_parse_positions("sample 0.1", &positions), LMD_OK);
    assert_int_equal(positions.kind, LMD_POSITIONS_SAMPLE);
    assert_true(positions.share == 0.1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(lmd_job_parse_positions(wrong[i], &positions), LMD_USAGE);
    }
}

static void assert_states(const char *text, int N, const int32_t *expected, int n)
{
    int32_t states[64];
    int L = -1;
    assert_int_equal(lmd_job_parse_states(text, N, states, &L), LMD_OK);
    assert_int_equal(L, n);
    assert_memory_equal(states, expected, (size_t)n * sizeof *expected);
}

static void test_states(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "5",
                                        "-6",
                                        "3-1",
                                        "0-9",
                                        "1,,2",
                                        "1,",
                                        ",1",
                                        "x",
                                        "1 2",
                                        "all,1",
                                        "1--9",
                                        "99999999999999999999",
                                        "-",
                                        "1-"};
    int32_t states[64];
    int L;
    assert_states("all", 3, (const int32_t[]){0, 1, 2, 3}, 4);
    assert_states("0", 4, (const int32_t[]){0, 4}, 2);
    assert_states("2, 0-1, 1", 4, (const int32_t[]){0, 1, 2, 4}, 4);
    assert_states("-1", 4, (const int32_t[]){4}, 1);
    assert_states("-3--2", 4, (const int32_t[]){2, 3, 4}, 3);
    assert_states("3--1", 4, (const int32_t[]){3, 4}, 2);
    assert_states("-5", 4, (const int32_t[]){0, 4}, 2);
    assert_states("0", 0, (const int32_t[]){0}, 1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(lmd_job_parse_states(wrong[i], 4, states, &L), LMD_USAGE);
    }
}

static int64_t live;

static int count_live(void **state)
{
    (void)state;
    live = lmd_memory_live();
    return 0;
}

static int check_live(void **state)
{
    (void)state;
    assert_int_equal(lmd_memory_live(), live);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_odd_strings),
        cmocka_unit_test(test_real_reads_back),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_empty_section),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_glob_folder),
        cmocka_unit_test(test_model_names),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_later_override_wins),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_states),
    };
    return cmocka_run_group_tests(tests, count_live, check_live);
}
