/* A pickle is a program for a stack machine (Lib/pickletools.py of CPython describes each
 * opcode). The opcodes that torch.save emits with protocols 2 to 5 are rows of a table
 * here; any other is refused by its number. Values are small and never copied, so memory
 * is proportional to the pickle; circles do no harm, because nothing walks down a value.
 */
#include "pickle.h"

#include <inttypes.h>            /* PRIu64 */
#include <string.h>              /* memcpy, memchr */
#include <lmdepth/base/memory.h> /* lmd_memory_resize */
#include "weight_names.h"        /* lmd_weights_names_is_good */

typedef struct machine {
    const uint8_t *bytes; /* borrowed */
    size_t size;
    size_t at; /* of the next byte */
    lmd_arena *arena;
    const lmd_pickled **stack; /* owned */
    size_t n, capacity;
    const lmd_pickled **memo; /* owned */
    size_t n_memo;            /* places; those that were never put are NULL */
    size_t n_kept;            /* places that are in use */
    bool is_at_end;
} machine;

static const lmd_pickled MARK = {.kind = LMD_PICKLE_MARK};
static const lmd_pickled NONE = {.kind = LMD_PICKLE_NONE};
static const lmd_pickled FALSE_VALUE = {.kind = LMD_PICKLE_BOOL, .integer = 0};
static const lmd_pickled TRUE_VALUE = {.kind = LMD_PICKLE_BOOL, .integer = 1};
static const lmd_pickled EMPTY_TUPLE = {.kind = LMD_PICKLE_TUPLE};

static const char *const KINDS[] = {
    [LMD_PICKLE_NONE] = "None",       [LMD_PICKLE_BOOL] = "a bool",
    [LMD_PICKLE_INT] = "an integer",  [LMD_PICKLE_REAL] = "a number",
    [LMD_PICKLE_TEXT] = "a string",   [LMD_PICKLE_TUPLE] = "a tuple",
    [LMD_PICKLE_LIST] = "a list",     [LMD_PICKLE_DICT] = "a dictionary",
    [LMD_PICKLE_NAME] = "a name",     [LMD_PICKLE_STORAGE] = "a storage",
    [LMD_PICKLE_TENSOR] = "a tensor", [LMD_PICKLE_MARK] = "a mark",
};

const char *lmd_weights_pickle_kind(const lmd_pickled *value)
{
    return KINDS[value->kind];
}

/* ---- stack ---- */

static void push(machine *m, const lmd_pickled *value)
{
    if (m->n == m->capacity) {
        m->capacity = m->capacity == 0 ? 64 : 2 * m->capacity;
        m->stack = lmd_memory_resize(m->stack, m->capacity, sizeof *m->stack);
    }
    m->stack[m->n++] = value;
}

static lmd_pickled *push_new(machine *m, lmd_pickle_kind kind)
{
    lmd_pickled *const value = lmd_weights_arena_new(m->arena, 1, sizeof *value);
    value->kind = kind;
    push(m, value);
    return value;
}

static lmd_status pop(machine *m, const lmd_pickled **value)
{
    if (m->n == 0 || m->stack[m->n - 1] == &MARK) {
        return lmd_status_set(LMD_INPUT, "a value is wanted where there is none");
    }
    *value = m->stack[--m->n];
    return LMD_OK;
}

/* The topmost value, to be changed; it must be of this kind. */
static lmd_status peek(const machine *m, lmd_pickle_kind kind, lmd_pickled **value)
{
    if (m->n == 0 || m->stack[m->n - 1]->kind != kind) {
        return lmd_status_set(LMD_INPUT, "%s is wanted, not %s", KINDS[kind],
                              m->n == 0 ? "nothing" : KINDS[m->stack[m->n - 1]->kind]);
    }
    *value = (lmd_pickled *)(uintptr_t)m->stack[m->n - 1]; // ours: push_new made it
    return LMD_OK;
}

/* How many values lie above the last mark. */
static lmd_status count_to_mark(const machine *m, size_t *n)
{
    for (*n = 0; *n < m->n; ++*n) {
        if (m->stack[m->n - 1 - *n] == &MARK) {
            return LMD_OK;
        }
    }
    return lmd_status_set(LMD_INPUT, "a mark is missing");
}

static void append(machine *m, lmd_pickled_items *items, const lmd_pickled *value)
{
    if (items->n == items->capacity) {
        const size_t capacity = items->capacity == 0 ? 4 : 2 * items->capacity;
        const lmd_pickled **const at =
            lmd_weights_arena_new(m->arena, capacity, sizeof *at);
        if (items->n > 0) {
            memcpy(at, items->at, items->n * sizeof *at);
        }
        items->at = at;
        items->capacity = capacity;
    }
    items->at[items->n++] = value;
}

/* ---- bytes ---- */

/* An unsigned little-endian integer of up to 8 bytes. */
static lmd_status read_number(machine *m, size_t n_bytes, uint64_t *value)
{
    *value = 0;
    if (n_bytes > m->size - m->at) {
        return lmd_status_set(LMD_INPUT, "truncated");
    }
    memcpy(value, m->bytes + m->at, n_bytes);
    m->at += n_bytes;
    return LMD_OK;
}

static int64_t extend_sign(uint64_t bits, size_t n_bytes)
{
    const uint64_t sign = UINT64_C(1) << (8 * n_bytes - 1);
    return (int64_t)((bits ^ sign) - sign);
}

/* Text that messages can show, or empty (a key of torch's _metadata is). */
static lmd_status copy_text(machine *m, size_t n_bytes, lmd_bytes *out)
{
    const char *const bytes = (const char *)m->bytes + m->at;
    if (n_bytes > m->size - m->at) {
        return lmd_status_set(LMD_INPUT, "a string of %zu bytes, but %zu are left",
                              n_bytes, m->size - m->at);
    }
    if (n_bytes > 0 && !lmd_weights_names_is_good(bytes, n_bytes)) {
        return lmd_status_set(LMD_INPUT, "a string is no text or too long");
    }
    *out = (lmd_bytes){lmd_weights_arena_copy(m->arena, bytes, n_bytes), n_bytes};
    m->at += n_bytes;
    return LMD_OK;
}

/* ---- opcodes; `width` is the table's ---- */

static lmd_status do_proto(machine *m, size_t width)
{
    uint64_t version = 0;
    LMD_TRY(read_number(m, width, &version));
    if (version < 2 || version > 5) {
        return lmd_status_set(LMD_INPUT, "protocol %" PRIu64 "; 2 to 5 are supported",
                              version);
    }
    return LMD_OK;
}

static lmd_status do_frame(machine *m, size_t width)
{
    uint64_t n_bytes = 0;
    LMD_TRY(read_number(m, width, &n_bytes));
    return n_bytes <= m->size - m->at ? LMD_OK : lmd_status_set(LMD_INPUT, "truncated");
}

static lmd_status do_stop(machine *m, size_t width)
{
    (void)width;
    m->is_at_end = true;
    return LMD_OK;
}

static lmd_status do_mark(machine *m, size_t width)
{
    (void)width;
    push(m, &MARK);
    return LMD_OK;
}

static lmd_status do_none(machine *m, size_t width)
{
    (void)width;
    push(m, &NONE);
    return LMD_OK;
}

static lmd_status do_true(machine *m, size_t width)
{
    (void)width;
    push(m, &TRUE_VALUE);
    return LMD_OK;
}

static lmd_status do_false(machine *m, size_t width)
{
    (void)width;
    push(m, &FALSE_VALUE);
    return LMD_OK;
}

static lmd_status do_unsigned(machine *m, size_t width)
{
    uint64_t bits = 0;
    LMD_TRY(read_number(m, width, &bits));
    push_new(m, LMD_PICKLE_INT)->integer = (int64_t)bits;
    return LMD_OK;
}

static lmd_status do_signed(machine *m, size_t width)
{
    uint64_t bits = 0;
    LMD_TRY(read_number(m, width, &bits));
    push_new(m, LMD_PICKLE_INT)->integer = extend_sign(bits, width);
    return LMD_OK;
}

static lmd_status do_long(machine *m, size_t width)
{
    uint64_t n_bytes = 0;
    uint64_t bits = 0;
    LMD_TRY(read_number(m, width, &n_bytes));
    if (n_bytes > sizeof bits) {
        return lmd_status_set(LMD_INPUT, "an integer of %" PRIu64 " bytes", n_bytes);
    }
    LMD_TRY(read_number(m, (size_t)n_bytes, &bits));
    push_new(m, LMD_PICKLE_INT)->integer =
        n_bytes == 0 ? 0 : extend_sign(bits, (size_t)n_bytes);
    return LMD_OK;
}

/* The one number that is big-endian. */
static lmd_status do_real(machine *m, size_t width)
{
    uint64_t bits = 0;
    LMD_TRY(read_number(m, width, &bits));
    bits = __builtin_bswap64(bits);
    memcpy(&push_new(m, LMD_PICKLE_REAL)->real, &bits, sizeof bits);
    return LMD_OK;
}

static lmd_status do_text(machine *m, size_t width)
{
    uint64_t n_bytes = 0;
    lmd_bytes text = {0};
    LMD_TRY(read_number(m, width, &n_bytes));
    LMD_TRY(copy_text(m, (size_t)n_bytes, &text));
    push_new(m, LMD_PICKLE_TEXT)->text = text;
    return LMD_OK;
}

/* A tuple of the n values on top. */
static lmd_status take_tuple(machine *m, size_t n)
{
    lmd_pickled_items items = {0};
    if (n > m->n) {
        return lmd_status_set(LMD_INPUT, "a tuple of more values than there are");
    }
    for (size_t i = m->n - n; i < m->n; i++) {
        if (m->stack[i] == &MARK) {
            return lmd_status_set(LMD_INPUT, "a tuple across a mark");
        }
        append(m, &items, m->stack[i]);
    }
    m->n -= n;
    push_new(m, LMD_PICKLE_TUPLE)->items = items;
    return LMD_OK;
}

static lmd_status do_empty_tuple(machine *m, size_t width)
{
    (void)width;
    push(m, &EMPTY_TUPLE);
    return LMD_OK;
}

static lmd_status do_tuple(machine *m, size_t width)
{
    (void)width;
    size_t n = 0;
    LMD_TRY(count_to_mark(m, &n));
    LMD_TRY(take_tuple(m, n));
    const lmd_pickled *const tuple = m->stack[m->n - 1];
    m->stack[m->n - 2] = tuple; // in the mark's place
    m->n--;
    return LMD_OK;
}

static lmd_status do_list(machine *m, size_t width)
{
    (void)width;
    push_new(m, LMD_PICKLE_LIST);
    return LMD_OK;
}

static lmd_status do_dict(machine *m, size_t width)
{
    (void)width;
    push_new(m, LMD_PICKLE_DICT);
    return LMD_OK;
}

/* Puts the n values on top, below which there are `n_marks` marks, into what is below. */
static lmd_status take_into(machine *m, lmd_pickle_kind kind, size_t n, size_t n_marks)
{
    lmd_pickled *into = NULL;
    const size_t top = m->n;
    if (n + n_marks > m->n || (kind == LMD_PICKLE_DICT && n % 2 != 0)) {
        return lmd_status_set(LMD_INPUT, "values are missing");
    }
    m->n -= n + n_marks;
    LMD_TRY(peek(m, kind, &into));
    for (size_t i = top - n; i < top; i++) {
        if (m->stack[i] == &MARK) {
            return lmd_status_set(LMD_INPUT, "a mark where a value is wanted");
        }
        append(m, &into->items, m->stack[i]);
    }
    return LMD_OK;
}

static lmd_status do_append(machine *m, size_t width)
{
    return take_into(m, LMD_PICKLE_LIST, width, 0);
}

static lmd_status do_appends(machine *m, size_t width)
{
    (void)width;
    size_t n = 0;
    LMD_TRY(count_to_mark(m, &n));
    return take_into(m, LMD_PICKLE_LIST, n, 1);
}

static lmd_status do_setitem(machine *m, size_t width)
{
    return take_into(m, LMD_PICKLE_DICT, width, 0);
}

static lmd_status do_setitems(machine *m, size_t width)
{
    (void)width;
    size_t n = 0;
    LMD_TRY(count_to_mark(m, &n));
    return take_into(m, LMD_PICKLE_DICT, n, 1);
}

/* ---- memo ---- */

/* No pickle has more places than bytes, so that a huge number is damage. */
static lmd_status put(machine *m, uint64_t place)
{
    if (m->n == 0 || m->stack[m->n - 1] == &MARK || place >= m->size) {
        return lmd_status_set(LMD_INPUT, "nothing can be kept at place %" PRIu64, place);
    }
    if (place >= m->n_memo) {
        const size_t n = place < 512 ? 1024 : 2 * (size_t)place;
        m->memo = lmd_memory_resize(m->memo, n, sizeof *m->memo);
        for (size_t i = m->n_memo; i < n; i++) {
            m->memo[i] = NULL;
        }
        m->n_memo = n;
    }
    m->n_kept += m->memo[place] == NULL;
    m->memo[place] = m->stack[m->n - 1];
    return LMD_OK;
}

static lmd_status do_put(machine *m, size_t width)
{
    uint64_t place = 0;
    LMD_TRY(read_number(m, width, &place));
    return put(m, place);
}

/* The next place. */
static lmd_status do_memoize(machine *m, size_t width)
{
    (void)width;
    return put(m, m->n_kept);
}

static lmd_status do_get(machine *m, size_t width)
{
    uint64_t place = 0;
    LMD_TRY(read_number(m, width, &place));
    if (place >= m->n_memo || m->memo[place] == NULL) {
        return lmd_status_set(LMD_INPUT, "nothing was kept at place %" PRIu64, place);
    }
    push(m, m->memo[place]);
    return LMD_OK;
}

/* ---- names and calls ---- */

static lmd_status push_name(machine *m, lmd_bytes module, lmd_bytes name)
{
    const struct lmd_torch_name *row = NULL;
    LMD_TRY(lmd_weights_pickle_find_name(&row, module, name));
    push_new(m, LMD_PICKLE_NAME)->name = row;
    return LMD_OK;
}

static lmd_status read_line(machine *m, lmd_bytes *out)
{
    const uint8_t *const start = m->bytes + m->at;
    const uint8_t *const end = memchr(start, '\n', m->size - m->at);
    if (end == NULL) {
        return lmd_status_set(LMD_INPUT, "truncated");
    }
    LMD_TRY(copy_text(m, (size_t)(end - start), out));
    m->at++;
    return LMD_OK;
}

static lmd_status do_name(machine *m, size_t width)
{
    (void)width;
    lmd_bytes module = {0};
    lmd_bytes name = {0};
    LMD_TRY(read_line(m, &module));
    LMD_TRY(read_line(m, &name));
    return push_name(m, module, name);
}

static lmd_status do_stack_name(machine *m, size_t width)
{
    (void)width;
    const lmd_pickled *module = NULL;
    const lmd_pickled *name = NULL;
    LMD_TRY(pop(m, &name));
    LMD_TRY(pop(m, &module));
    if (name->kind != LMD_PICKLE_TEXT || module->kind != LMD_PICKLE_TEXT) {
        return lmd_status_set(LMD_INPUT, "a name that is no string");
    }
    return push_name(m, module->text, name->text);
}

static lmd_status do_storage(machine *m, size_t width)
{
    (void)width;
    const lmd_pickled *id = NULL;
    lmd_pickled storage;
    LMD_TRY(pop(m, &id));
    LMD_TRY(lmd_weights_pickle_find_storage(&storage, m->arena, id));
    *push_new(m, storage.kind) = storage;
    return LMD_OK;
}

static lmd_status do_call(machine *m, size_t width)
{
    (void)width;
    const lmd_pickled *arguments = NULL;
    const lmd_pickled *name = NULL;
    lmd_pickled result;
    LMD_TRY(pop(m, &arguments));
    LMD_TRY(pop(m, &name));
    if (name->kind != LMD_PICKLE_NAME || arguments->kind != LMD_PICKLE_TUPLE) {
        return lmd_status_set(LMD_INPUT, "a call of %s with %s", KINDS[name->kind],
                              KINDS[arguments->kind]);
    }
    LMD_TRY(lmd_weights_pickle_call(&result, m->arena, name->name, &arguments->items));
    *push_new(m, result.kind) = result;
    return LMD_OK;
}

/* Attributes of an ordered dictionary: torch's _metadata, versions of modules. */
static lmd_status do_build(machine *m, size_t width)
{
    (void)width;
    const lmd_pickled *attributes = NULL;
    lmd_pickled *dict = NULL;
    LMD_TRY(pop(m, &attributes));
    return peek(m, LMD_PICKLE_DICT, &dict);
}

/* ---- the machine ---- */

typedef struct opcode {
    uint8_t code;
    uint8_t width; /* bytes of the number behind it, or values */
    lmd_status (*run)(machine *m, size_t width);
} opcode;

static const opcode OPCODES[] = {
    {0x80, 1, do_proto},      {0x95, 8, do_frame},   {'.', 0, do_stop},
    {'(', 0, do_mark},        {'N', 0, do_none},     {0x88, 0, do_true},
    {0x89, 0, do_false},      {'K', 1, do_unsigned}, {'M', 2, do_unsigned},
    {'J', 4, do_signed},      {0x8a, 1, do_long},    {'G', 8, do_real},
    {'X', 4, do_text},        {0x8c, 1, do_text},    {0x8d, 8, do_text},
    {')', 0, do_empty_tuple}, {0x85, 1, take_tuple}, {0x86, 2, take_tuple},
    {0x87, 3, take_tuple},    {'t', 0, do_tuple},    {']', 0, do_list},
    {'}', 0, do_dict},        {'a', 1, do_append},   {'e', 0, do_appends},
    {'s', 2, do_setitem},     {'u', 0, do_setitems}, {'q', 1, do_put},
    {'r', 4, do_put},         {0x94, 0, do_memoize}, {'h', 1, do_get},
    {'j', 4, do_get},         {'c', 0, do_name},     {0x93, 0, do_stack_name},
    {'Q', 0, do_storage},     {'R', 0, do_call},     {'b', 0, do_build},
};

static const opcode *find_opcode(uint8_t code)
{
    for (size_t i = 0; i < sizeof OPCODES / sizeof OPCODES[0]; i++) {
        if (OPCODES[i].code == code) {
            return &OPCODES[i];
        }
    }
    return NULL;
}

static lmd_status step(machine *m)
{
    if (m->at == m->size) {
        return lmd_status_set(LMD_INPUT, "truncated");
    }
    const uint8_t code = m->bytes[m->at++];
    const opcode *const found = find_opcode(code);
    if (found == NULL) {
        return lmd_status_set(LMD_INPUT,
                              "opcode 0x%02x is refused: weights need none such", code);
    }
    return found->run(m, found->width);
}

static lmd_status run(machine *m, const lmd_pickled **out)
{
    while (!m->is_at_end) {
        const size_t start = m->at;
        LMD_TRY(lmd_status_within(step(m), "pickle, byte %zu", start));
    }
    return lmd_status_within(pop(m, out), "pickle, byte %zu", m->at);
}

lmd_status lmd_weights_pickle_read(const lmd_pickled **out, lmd_arena *arena,
                                   const void *bytes, size_t n_bytes)
{
    machine m = {.bytes = bytes, .size = n_bytes, .arena = arena};
    *out = NULL;
    const lmd_status status = run(&m, out);
    lmd_memory_free(m.stack);
    lmd_memory_free(m.memo);
    return status;
}
