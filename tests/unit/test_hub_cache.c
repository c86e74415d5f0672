/* Names in the Hugging Face cache; tests/command/model_paths.sh has the environment's
 * variables and whole models. */
#include "weight_files.h"

#define COMMIT "89abcdef0123456789abcdef0123456789abcdef"

static void assert_resolves(const char *name, const char *wanted)
{
    char *path = NULL;
    if (lmd_weights_resolve(name, &path) != LMD_OK) {
        fail_msg("%s: %s", name, lmd_status_message());
    }
    assert_string_equal(path, wanted);
    lmd_memory_free(path);
}

static void assert_refused(const char *name, const char *part)
{
    char *path = NULL;
    assert_int_equal(lmd_weights_resolve(name, &path), LMD_USAGE);
    assert_null(path);
    expect_message(name, part);
}

/* test_folder/models--o--n with one snapshot; refs/main holds `reference`. */
static void make_cache(const char *reference)
{
    char path[PATH_SIZE];
    lmd_text text = {0};
    assert_int_equal(setenv("HF_HUB_CACHE", test_folder, 1), 0);
    assert_int_equal(
        lmd_file_make_folders(path_of(path, "models--o--n/snapshots/" COMMIT)), LMD_OK);
    assert_int_equal(lmd_file_make_folders(path_of(path, "models--o--n/refs")), LMD_OK);
    lmd_text_append_string(&text, reference);
    write_file("models--o--n/refs/main", &text);
}

static int remove_cache(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    static const char *const FOLDERS[] = {
        ("models--o--n/snapshots/" COMMIT), "models--o--n/snapshots",
        "models--o--n/refs/deep", "models--o--n/refs", "models--o--n"};
    for (size_t i = 0; i < sizeof FOLDERS / sizeof FOLDERS[0]; i++) {
        if (lmd_file_remove_tree(path_of(path, FOLDERS[i])) != LMD_OK) {
            return 1;
        }
    }
    return 0;
}

static void names_and_revisions_are_found(void **state)
{
    (void)state;
    char wanted[PATH_SIZE];
    make_cache(COMMIT "\n");
    path_of(wanted, "models--o--n/snapshots/" COMMIT);
    assert_resolves("o/n", wanted);
    assert_resolves("o/n@main", wanted);
    assert_resolves("o/n@" COMMIT, wanted);
    assert_resolves("o/n@89", wanted);
    assert_refused("o/n@99", "commits: " COMMIT);
    assert_refused("o/n@nightly", "revisions there: main");
    assert_refused("o/m", "models there: models--o--n");
}

static void other_paths_stay_as_they_are(void **state)
{
    (void)state;
    static const char *const PATHS[] = {"model.gguf", "/o/n",    "./o/n",   "../n",
                                        "o/n/m",      "o/n@",    "o/n@/x",  "o/n@../x",
                                        "o/",         "/n",      "o o/n",   "",
                                        "src/base",   "~/model", "o/n:main"};
    make_cache(COMMIT);
    for (size_t i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++) {
        assert_resolves(PATHS[i], PATHS[i]);
    }
}

/* A reference leads to a snapshot of this model or nowhere. */
static void damaged_references_are_refused(void **state)
{
    (void)state;
    static const char *const REFERENCES[] = {"", "../../../etc", "/etc", "zzz",
                                             "0000000000000000000000000000000000000000"};
    for (size_t i = 0; i < sizeof REFERENCES / sizeof REFERENCES[0]; i++) {
        make_cache(REFERENCES[i]);
        assert_refused("o/n", "revisions there: main");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(names_and_revisions_are_found, remove_cache),
        cmocka_unit_test_teardown(other_paths_stay_as_they_are, remove_cache),
        cmocka_unit_test_teardown(damaged_references_are_refused, remove_cache),
    };
    return cmocka_run_group_tests_name("hub_cache", tests, make_folder, remove_folder);
}
