/* The pickle reader: what torch.save writes is read, everything else refused by name. */
#include "weight_files.h"
#include "pickle.h"

/* ---- helpers ---- */

/* A pickle given as a string literal. */
#define READ(out, arena, pickle)                                                         \
    lmd_weights_pickle_read(out, arena, pickle, sizeof(pickle) - 1)

#define REFUSED(pickle, part) expect_refused(pickle, sizeof(pickle) - 1, part)

static void expect_refused(const char *pickle, size_t size, const char *part)
{
    lmd_arena arena = {0};
    const lmd_pickled *root = NULL;
    assert_int_equal(lmd_weights_pickle_read(&root, &arena, pickle, size), LMD_INPUT);
    lmd_weights_arena_clear(&arena);
    expect_message("pickle, byte", part);
}

/* {"w": a tensor (2, 3) from value 1 of storage "7", which has 7 floats} */
#define STORAGE                                                                          \
    "(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0"                               \
    "7X\x03\0\0\0cpuK\x07tQ"
#define REBUILD "ctorch._utils\n_rebuild_tensor_v2\n"
#define NO_HOOKS                                                                         \
    "\x89"                                                                               \
    "ccollections\nOrderedDict\n)R"
#define TENSOR REBUILD "(" STORAGE "K\x01K\x02K\x03\x86K\x03K\x01\x86" NO_HOOKS "tR"
#define NAME "X\x01\0\0\0w"

static void assert_tensor(const lmd_pickled *root)
{
    assert_int_equal(root->kind, LMD_PICKLE_DICT);
    assert_int_equal(root->items.n, 2);
    assert_string_equal(root->items.at[0]->text.bytes, "w");
    assert_int_equal(root->items.at[1]->kind, LMD_PICKLE_TENSOR);
    const lmd_torch_tensor *const tensor = root->items.at[1]->tensor;
    assert_string_equal(tensor->storage->encoding->name, "F32");
    assert_string_equal(tensor->storage->key.bytes, "7");
    assert_int_equal(tensor->storage->n, 7);
    assert_int_equal(tensor->first, 1);
    assert_int_equal(tensor->n_dims, 2);
    assert_true(tensor->shape[0] == 2 && tensor->shape[1] == 3);
    assert_true(tensor->strides[0] == 3 && tensor->strides[1] == 1);
}

/* ---- what torch.save writes ---- */

static void dictionaries_of_tensors_are_read(void **state)
{
    (void)state;
    lmd_arena arena = {0};
    const lmd_pickled *root = NULL;
    assert_int_equal(READ(&root, &arena, "\x80\x02}(" NAME TENSOR "u."), LMD_OK);
    assert_tensor(root);
    assert_int_equal(READ(&root, &arena,
                          "\x80\x02"
                          "ccollections\nOrderedDict\n)R" NAME TENSOR "s."),
                     LMD_OK);
    assert_tensor(root);
    assert_int_equal(READ(&root, &arena,
                          "\x80\x02}" NAME "ctorch._utils\n_rebuild_parameter\n(" TENSOR
                          "\x88}tRs."),
                     LMD_OK);
    assert_tensor(root);
    lmd_weights_arena_clear(&arena);
}

/* Frames, short strings, memoised values, names from the stack. */
static void later_protocols_are_read(void **state)
{
    (void)state;
    lmd_arena arena = {0};
    const lmd_pickled *root = NULL;
    assert_int_equal(READ(&root, &arena,
                          "\x80\x04\x95\x01\0\0\0\0\0\0\0}\x94\x8c\x01w\x94"
                          "\x8c\x0c"
                          "torch._utils\x94\x8c\x12_rebuild_tensor_v2\x94\x93\x94"
                          "(" STORAGE
                          "\x8a\x01\x01K\x02K\x03\x86K\x03K\x01\x86\x89}tRs."),
                     LMD_OK);
    assert_tensor(root);
    lmd_weights_arena_clear(&arena);
}

static void attributes_of_dictionaries_are_passed_over(void **state)
{
    (void)state;
    lmd_arena arena = {0};
    const lmd_pickled *root = NULL;
    assert_int_equal(READ(&root, &arena,
                          "\x80\x02"
                          "ccollections\nOrderedDict\n)R(" NAME TENSOR
                          "u}X\x09\0\0\0_metadata}X\0\0\0\0]K\x01"
                          "assb."),
                     LMD_OK);
    assert_tensor(root);
    lmd_weights_arena_clear(&arena);
}

static void integers_of_every_width_are_read(void **state)
{
    (void)state;
    lmd_arena arena = {0};
    const lmd_pickled *root = NULL;
    assert_int_equal(READ(&root, &arena,
                          "\x80\x02M\x34\x12J\xfe\xff\xff\xff\x8a\x05\0\0\0\0\x01\x87."),
                     LMD_OK);
    assert_int_equal(root->items.at[0]->integer, 0x1234);
    assert_int_equal(root->items.at[1]->integer, -2);
    assert_true(root->items.at[2]->integer == INT64_C(1) << 32);
    assert_int_equal(READ(&root, &arena, "G\xbf\xe0\0\0\0\0\0\0."), LMD_OK);
    assert_true(root->real == -0.5);
    REFUSED("\x8a\x09\0\0\0\0\0\0\0\0\x01.", "an integer of 9 bytes");
    lmd_weights_arena_clear(&arena);
}

/* ---- what it does not write ---- */

static void other_names_are_refused(void **state)
{
    (void)state;
    REFUSED("\x80\x02"
            "cposix\nsystem\nX\x02\0\0\0ls\x85R.",
            "'posix.system' is refused");
    REFUSED("\x80\x04\x8c\x02os\x8c\x06system\x93.", "'os.system' is refused");
    REFUSED("cbuiltins\neval\n.", "'builtins.eval'");
    REFUSED("c__builtin__\nexec\n.", "'__builtin__.exec'");
    REFUSED("ctorch\nload\n.", "'torch.load'");
    REFUSED("ctorch._utils\n_rebuild_tensor_v2.__globals__\n.", "__globals__");
    REFUSED("ctorch\n_utils._rebuild_tensor_v2\n.", "'torch._utils._rebuild_tensor_v2'");
    REFUSED("ctorch._utils\n_rebuild_qtensor\n.", "_rebuild_qtensor");
    REFUSED("cos\n\x1b[31m\n.", "no text");
}

static void other_opcodes_are_refused(void **state)
{
    (void)state;
    static const char USED[] =
        "\x80\x95.(N\x88\x89KMJ\x8aGX\x8c\x8d)\x85\x86\x87t]}aesuqr\x94hjc"
        "\x93QRb";
    for (int code = 0; code < 256; code++) {
        char part[32];
        const char pickle[] = {(char)code, 0, 0, 0, 0, 0, 0, 0, 0};
        if (memchr(USED, code, sizeof USED - 1) == NULL) {
            (void)snprintf(part, sizeof part, "opcode 0x%02x is refused", (unsigned)code);
            expect_refused(pickle, sizeof pickle, part);
        }
    }
}

static void other_calls_are_refused(void **state)
{
    (void)state;
    REFUSED("N)R.", "a call of None with a tuple");
    REFUSED("ccollections\nOrderedDict\nNR.", "a call of a name with None");
    REFUSED("ccollections\nOrderedDict\nN\x85R.", "'collections.OrderedDict' with 1");
    REFUSED("ctorch\nFloatStorage\n)R.", "'torch.FloatStorage' with 0");
    REFUSED("ctorch._utils\n_rebuild_parameter\nN\x88}\x87R.", "_rebuild_parameter");
    REFUSED(REBUILD ")R.", "_rebuild_tensor_v2 has other arguments");
    REFUSED(REBUILD "(" STORAGE "K\x01NN\x89}tR.", "_rebuild_tensor_v2 has other");
    REFUSED(REBUILD "(" STORAGE "K\x01K\x02\x85K\x03K\x01\x86\x89}tR.",
            "other arguments");
    REFUSED(REBUILD "(" STORAGE "K\x01N\x85K\x01\x85\x89}tR.", "no numbers");
    REFUSED(REBUILD "(" STORAGE "J\xff\xff\xff\xffK\x01\x85K\x01\x85\x89}tR.", "other");
    REFUSED(REBUILD "(" STORAGE
                    "K\x01(K\x01K\x01K\x01K\x01K\x01t(K\x01K\x01K\x01K\x01K\x01t\x89}tR.",
            "a tensor of 5 dimensions");
    REFUSED("NQ.", "a persistent id");
    REFUSED("(X\x07\0\0\0storageccollections\nOrderedDict\nNNNtQ.", "a persistent id");
    REFUSED("]N\x85"
            "b.",
            "a dictionary is wanted, not a list");
}

static void the_stack_is_guarded(void **state)
{
    (void)state;
    REFUSED("", "truncated");
    REFUSED(".", "a value is wanted");
    REFUSED("(.", "a value is wanted");
    REFUSED("t.", "a mark is missing");
    REFUSED("\x85.", "more values than there are");
    REFUSED("N(\x86.", "across a mark");
    REFUSED("}s.", "values are missing");
    REFUSED("}(Nu.", "values are missing");
    REFUSED("](}a.", "not a mark");
    REFUSED("N(Ne.", "a list is wanted, not None");
    REFUSED("(}(Nt\x85uN.", "a dictionary is wanted, not nothing");
    REFUSED("R.", "a value is wanted");
    REFUSED("\x93.", "a value is wanted");
    REFUSED("b.", "a value is wanted");
    REFUSED("q\0.", "nothing can be kept at place 0");
    REFUSED("(q\0.", "nothing can be kept");
    REFUSED("Nr\xff\xff\xff\xff.", "nothing can be kept at place 4294967295");
    REFUSED("h\x05.", "nothing was kept at place 5");
    REFUSED("Nq\x01j\0\0\0\0.", "nothing was kept at place 0");
}

static void lengths_are_held_against_what_is_left(void **state)
{
    (void)state;
    REFUSED("X\xff\xff\xff\xff"
            "abc.",
            "a string of 4294967295 bytes, but 4 are left");
    REFUSED("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
            "abc.",
            "but 4 are left");
    REFUSED("\x95\xff\xff\xff\xff\xff\xff\xff\xff"
            "N.",
            "truncated");
    REFUSED("K", "truncated");
    REFUSED("cposix", "truncated");
    REFUSED("\x80\x01.", "protocol 1");
    REFUSED("\x80\x06.", "protocol 6");
}

/* A list in itself, a dictionary in itself: read, as nothing walks down. */
static void circles_do_no_harm(void **state)
{
    (void)state;
    lmd_arena arena = {0};
    const lmd_pickled *root = NULL;
    assert_int_equal(READ(&root, &arena,
                          "]q\x01h\x01"
                          "a}q\x02(Nh\x02h\x01Nu\x86."),
                     LMD_OK);
    assert_ptr_equal(root->items.at[0], root->items.at[0]->items.at[0]);
    lmd_weights_arena_clear(&arena);
}

static void every_truncation_and_changed_byte_is_survived(void **state)
{
    (void)state;
    static const char GOOD[] = "\x80\x02}q\0(" NAME "q\x01" TENSOR "q\x02u.";
    char changed[sizeof GOOD - 1];
    for (size_t n = 0; n < sizeof changed; n++) {
        expect_refused(GOOD, n, "");
    }
    for (size_t i = 0; i < sizeof changed; i++) {
        for (int bits = 1; bits < 256; bits++) {
            lmd_arena arena = {0};
            const lmd_pickled *root = NULL;
            memcpy(changed, GOOD, sizeof changed);
            changed[i] = (char)(changed[i] ^ bits);
            const lmd_status status =
                lmd_weights_pickle_read(&root, &arena, changed, sizeof changed);
            assert_true(status == LMD_OK || status == LMD_INPUT);
            assert_true((status == LMD_OK) == (root != NULL));
            lmd_weights_arena_clear(&arena);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dictionaries_of_tensors_are_read),
        cmocka_unit_test(later_protocols_are_read),
        cmocka_unit_test(attributes_of_dictionaries_are_passed_over),
        cmocka_unit_test(integers_of_every_width_are_read),
        cmocka_unit_test(other_names_are_refused),
        cmocka_unit_test(other_opcodes_are_refused),
        cmocka_unit_test(other_calls_are_refused),
        cmocka_unit_test(the_stack_is_guarded),
        cmocka_unit_test(lengths_are_held_against_what_is_left),
        cmocka_unit_test(circles_do_no_harm),
        cmocka_unit_test(every_truncation_and_changed_byte_is_survived),
    };
    return cmocka_run_group_tests_name("pickle", tests, make_folder, remove_folder);
}
