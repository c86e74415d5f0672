/* Models in several files: shards of an index, parts of a split GGUF. */
#include "weight_files.h"
#include <math.h> /* INFINITY */

#define ENTRY(name, offsets)                                                             \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" offsets "}"

/* ---- shards ---- */

static void write_text(const char *name, const char *string)
{
    lmd_text text = {0};
    lmd_text_append_string(&text, string);
    write_file(name, &text);
}

static void write_shard(const char *name, const char *header, float first)
{
    lmd_text file = {0};
    put_safetensors(&file, header);
    const size_t n = strstr(header, "[8,16]") != NULL ? 4 : 2;
    for (size_t i = 0; i < n; i++) {
        put_f32(&file, first + (float)i);
    }
    write_file(name, &file);
}

#define INDEX(map) "{\"metadata\":{\"total_size\":24},\"weight_map\":{" map "}}"

static void write_shards(void)
{
    write_shard("m-1.safetensors",
                "{\"__metadata__\":{\"format\":\"pt\"}," ENTRY("a", "[0,8]") "," ENTRY(
                    "b", "[8,16]") "}",
                1);
    write_shard("m-2.safetensors",
                "{\"__metadata__\":{\"format\":\"pt\"}," ENTRY("c", "[0,8]") "}", 5);
    write_text("m.index.json",
               INDEX("\"a\":\"m-1.safetensors\",\"c\":\"m-2.safetensors\","
                     "\"b\":\"m-1.safetensors\""));
}

static void shards_are_one_model(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    int n = 0;
    float values[2];
    lmd_bytes text = {0};
    write_shards();
    lmd_weights *const weights = open_file("m.index.json");
    assert_string_equal(lmd_weights_format(weights), "safetensors");
    assert_string_equal(lmd_weights_path(weights), path_of(path, "m.index.json"));
    assert_int_equal(lmd_weights_count(weights), 3);
    assert_string_equal(lmd_weights_at(weights, 1)->name, "b");
    const lmd_tensor *const c = lmd_weights_find(weights, "c");
    assert_ptr_equal(c, lmd_weights_at(weights, 2));
    assert_int_equal(lmd_weights_read_rows(weights, c, 0, 1, values), LMD_OK);
    assert_true(values[0] == 5 && values[1] == 6);
    const lmd_tensor *const b = lmd_weights_find(weights, "b");
    assert_int_equal(lmd_weights_read_rows(weights, b, 0, 1, values), LMD_OK);
    assert_true(values[0] == 3 && values[1] == 4);
    assert_true(lmd_weights_get_string(weights, "format", &text));
    const char *const *const files = lmd_weights_files(weights, &n);
    assert_int_equal(n, 2);
    assert_string_equal(files[1], path_of(path, "m-2.safetensors"));
    lmd_weights_close(weights);
}

static void a_file_alone_is_its_own_list(void **state)
{
    (void)state;
    int n = 0;
    write_shards();
    lmd_weights *const weights = open_file("m-2.safetensors");
    assert_string_equal(lmd_weights_files(weights, &n)[0], lmd_weights_path(weights));
    assert_int_equal(n, 1);
    lmd_weights_close(weights);
}

/* A value that is not finite is told with the file that holds it. */
static void messages_name_the_shard(void **state)
{
    (void)state;
    float values[2];
    write_shards();
    write_shard("m-2.safetensors", "{" ENTRY("c", "[0,8]") "}", INFINITY);
    lmd_weights *const weights = open_file("m.index.json");
    const lmd_tensor *const c = lmd_weights_find(weights, "c");
    assert_int_equal(lmd_weights_read_rows(weights, c, 0, 1, values), LMD_INPUT);
    expect_message("m-2.safetensors", "tensor 'c': value 0 of row 0 is not finite");
    lmd_weights_close(weights);
}

static void all_missing_shards_are_named(void **state)
{
    (void)state;
    write_text("gone.index.json",
               INDEX("\"a\":\"x-2.safetensors\",\"b\":\"x-1.safetensors\","
                     "\"c\":\"x-2.safetensors\""));
    expect_refusal("gone.index.json",
                   "files are missing (2): x-1.safetensors, x-2.safetensors");
}

static void index_and_shards_are_held_against_each_other(void **state)
{
    (void)state;
    write_shards();
    write_text("m.index.json",
               INDEX("\"a\":\"m-1.safetensors\",\"c\":\"m-2.safetensors\","
                     "\"b\":\"m-1.safetensors\",\"y\":\"m-1.safetensors\","
                     "\"z\":\"m-2.safetensors\""));
    expect_refusal("m.index.json", "are in none of its files (2): y, z");
    write_text("m.index.json",
               INDEX("\"a\":\"m-1.safetensors\",\"c\":\"m-2.safetensors\""));
    expect_refusal("m.index.json", "where the index does not have them (1): b");
    write_text("m.index.json",
               INDEX("\"a\":\"m-2.safetensors\",\"c\":\"m-2.safetensors\","
                     "\"b\":\"m-1.safetensors\""));
    expect_refusal("m.index.json", "where the index does not have them (1): a");
    write_text("m.index.json",
               INDEX("\"z\":\"m-1.safetensors\",\"c\":\"m-2.safetensors\","
                     "\"b\":\"m-1.safetensors\""));
    expect_refusal("m.index.json", "(1): z; and of other files or names (1): a");
    write_shard("m-2.safetensors", "{" ENTRY("a", "[0,8]") "}", 5);
    expect_refusal("m.index.json",
                   "tensor 'a' is in several files: m-1.safetensors, m-2.safetensors");
    write_text("m-2.safetensors", "short");
    expect_refusal("m-2.safetensors", "truncated");
}

static void damaged_indices_are_refused(void **state)
{
    (void)state;
    write_text("bad.index.json", "{");
    expect_refusal("bad.index.json", "line 1");
    write_text("bad.index.json", "[]");
    expect_refusal("bad.index.json", "'weight_map' is missing");
    write_text("bad.index.json", "{\"weight_map\":{}}");
    expect_refusal("bad.index.json", "'weight_map' is missing or lists no tensors");
    write_text("bad.index.json", "{\"weight_map\":[\"a\"]}");
    expect_refusal("bad.index.json", "'weight_map' is missing");
    static const char *const NAMES[] = {
        "3", "\"../x\"", "\"/etc/passwd\"", "\"a/b\"", "\".\"", "\"\"", "null"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        char text[80];
        (void)snprintf(text, sizeof text, "{\"weight_map\":{\"w\":%s}}", NAMES[i]);
        write_text("bad.index.json", text);
        expect_refusal("bad.index.json", "the entry of tensor 'w' is no name of a file");
    }
}

/* Ten thousand missing names do not fit a message; it says how many there are. */
static void long_lists_are_cut(void **state)
{
    (void)state;
    lmd_text text = {0};
    lmd_text_append_string(&text, "{\"weight_map\":{");
    for (int i = 0; i < 10000; i++) {
        lmd_text_append_format(&text, "%s\"t%d\":\"shard-%d\"", i > 0 ? "," : "", i, i);
    }
    lmd_text_append_string(&text, "}}");
    write_file("long.index.json", &text);
    expect_refusal("long.index.json", "files are missing (10000): shard-0, shard-1, ");
    expect_message("long.index.json", ", ...");
}

/* ---- split GGUF ---- */

enum { UINT16 = 2, INT32 = 5, STRING = 8 };

static void put_u16_key(lmd_text *file, const char *name, int value)
{
    const char bytes[2] = {(char)value, 0};
    put_gguf_key(file, name, UINT16);
    lmd_text_append(file, bytes, sizeof bytes);
}

/* Part `number` (from 0) with one tensor of two floats; the first has a key of its own.
 */
static void write_part(const char *name, int number, int count, const char *tensor,
                       uint32_t total)
{
    const uint64_t dims[1] = {2};
    lmd_text file = {0};
    put_gguf_start(&file, 1, number == 0 ? 4 : 3);
    put_u16_key(&file, "split.no", number);
    put_u16_key(&file, "split.count", count);
    put_gguf_key(&file, "split.tensors.count", INT32);
    put_u32(&file, total);
    if (number == 0) {
        put_gguf_key(&file, "general.architecture", STRING);
        put_gguf_string(&file, "llama");
    }
    put_gguf_tensor(&file, tensor, 1, dims, 0, 0);
    put_gguf_padding(&file, 32);
    put_f32(&file, (float)number);
    put_f32(&file, (float)number + 10);
    write_file(name, &file);
}

#define PART(number) "split/m-0000" number "-of-00003.gguf"

static void write_parts(void)
{
    char folder[PATH_SIZE];
    assert_int_equal(lmd_file_make_folders(path_of(folder, "split")), LMD_OK);
    write_part(PART("1"), 0, 3, "a", 3);
    write_part(PART("2"), 1, 3, "b", 3);
    write_part(PART("3"), 2, 3, "c", 3);
}

static void assert_whole(const char *name)
{
    char path[PATH_SIZE];
    float values[2];
    int n = 0;
    lmd_bytes text = {0};
    lmd_weights *const weights = open_file(name);
    assert_string_equal(lmd_weights_format(weights), "GGUF");
    assert_string_equal(lmd_weights_path(weights), path_of(path, PART("1")));
    assert_int_equal(lmd_weights_count(weights), 3);
    assert_int_equal(lmd_weights_key_count(weights), 1);
    assert_true(lmd_weights_get_string(weights, "general.architecture", &text));
    assert_false(lmd_weights_has(weights, "split.count"));
    const lmd_tensor *const c = lmd_weights_find(weights, "c");
    assert_int_equal(lmd_weights_read_rows(weights, c, 0, 1, values), LMD_OK);
    assert_true(values[0] == 2 && values[1] == 12);
    assert_string_equal(lmd_weights_files(weights, &n)[2], path_of(path, PART("3")));
    assert_int_equal(n, 3);
    lmd_weights_close(weights);
}

static void any_part_opens_the_whole(void **state)
{
    (void)state;
    write_parts();
    assert_whole(PART("1"));
    assert_whole(PART("2"));
    assert_whole(PART("3"));
    assert_whole("split");
}

static void remove_part(const char *name)
{
    char path[PATH_SIZE];
    assert_int_equal(unlink(path_of(path, name)), 0);
}

static void bad_splits_are_refused(void **state)
{
    (void)state;
    write_parts();
    write_part(PART("2"), 1, 3, "a", 3);
    expect_refusal("split", "tensor 'a' is in several files: m-00001-of-00003.gguf, m-0");
    write_part(PART("2"), 2, 3, "b", 3);
    expect_refusal("split", "m-00002-of-00003.gguf: split.no is 2 and split.count 3");
    write_part(PART("2"), 1, 4, "b", 3);
    expect_refusal("split", "m-00002-of-00003.gguf: split.no is 1 and split.count 4");
    write_parts();
    write_part(PART("1"), 0, 3, "a", 7);
    expect_refusal("split", "split.tensors.count is 7, but the parts hold 3");
    write_parts();
    write_part("split/other.gguf", 0, 1, "a", 1);
    expect_refusal("split", "4 GGUF files, name one of them");
    remove_part("split/other.gguf");
    remove_part(PART("1"));
    remove_part(PART("3"));
    expect_refusal(PART("2"), "files are missing (2): m-00001-of-00003.gguf, m-00003-of");
    write_part("part.gguf", 0, 3, "a", 3);
    expect_refusal("part.gguf", "one of 3 parts of a split model, but its name");
    write_part("p-00001-of-00002.gguf", 0, 3, "a", 3);
    expect_refusal("p-00001-of-00002.gguf", "one of 3 parts");
    write_part("p-00004-of-00003.gguf", 0, 3, "a", 3);
    expect_refusal("p-00004-of-00003.gguf", "one of 3 parts");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_are_one_model),
        cmocka_unit_test(a_file_alone_is_its_own_list),
        cmocka_unit_test(messages_name_the_shard),
        cmocka_unit_test(all_missing_shards_are_named),
        cmocka_unit_test(index_and_shards_are_held_against_each_other),
        cmocka_unit_test(damaged_indices_are_refused),
        cmocka_unit_test(long_lists_are_cut),
        cmocka_unit_test(any_part_opens_the_whole),
        cmocka_unit_test(bad_splits_are_refused),
    };
    return cmocka_run_group_tests_name("weight_parts", tests, make_folder, remove_folder);
}
