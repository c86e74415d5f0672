/* A family lists its tensors once, with their names in Hugging Face's and in GGUF's world
 * and their shapes as members of the config; finding, checking and refusing are the same
 * for all. What is in the file and in no list is refused too: a bias or a second norm
 * that nobody reads means that the model is not what its config says. */
#include "tensors.h"

#include <assert.h>              /* assert */
#include <lmdepth/base/memory.h> /* lmd_memory_new */
#include <lmdepth/base/text.h>   /* lmd_text */
#include <stdio.h>               /* snprintf */
#include <string.h>              /* strcmp */

enum {
    NAME_SIZE = 192,
    LIST_SIZE = 1500,       /* bytes of names that a message has room for */
    REQUEST_BYTES = 2 << 20 /* of a file: large for disks, and what becomes of half floats
                             * (4 MB) is read again while it is near */
};

/* ---- names ---- */

bool lmd_model_is_gguf(const lmd_weights *weights)
{
    return strcmp(lmd_weights_format(weights), "GGUF") == 0;
}

/* A base model that was saved alone has no prefix on any name. */
static const char *without_prefix(const char *name, const char *prefix)
{
    const size_t length = strlen(prefix);
    return strncmp(name, prefix, length) == 0 ? name + length : name;
}

static bool is_bare(const lmd_weights *weights, const lmd_wants *wants)
{
    const char *const first = wants->outer[0].hugging_face;
    return !lmd_weights_find(weights, first) &&
           lmd_weights_find(weights, without_prefix(first, wants->prefix));
}

/* The name's pattern in this file; NULL when its world has no such tensor. */
static const char *pattern_of(const lmd_weights *weights, const lmd_wants *wants,
                              const lmd_want *want)
{
    if (lmd_model_is_gguf(weights)) {
        return want->gguf;
    }
    return want->hugging_face && is_bare(weights, wants)
               ? without_prefix(want->hugging_face, wants->prefix)
               : want->hugging_face;
}

static void fill_name(char name[NAME_SIZE], const char *pattern, const char *block)
{
    const size_t head = strcspn(pattern, "#");
    (void)snprintf(name, NAME_SIZE, "%.*s%s%s", (int)head, pattern,
                   pattern[head] ? block : "", pattern + head + (pattern[head] == '#'));
}

static const lmd_tensor *find(const lmd_weights *weights, const lmd_wants *wants,
                              const lmd_want *want, int block)
{
    const char *const pattern = pattern_of(weights, wants, want);
    if (!pattern) {
        return NULL;
    }
    char name[NAME_SIZE];
    char number[16];
    (void)snprintf(number, sizeof number, "%d", block);
    fill_name(name, pattern, number);
    return lmd_weights_find(weights, name);
}

bool lmd_model_has_tensor(const lmd_weights *weights, const lmd_wants *wants, int outer)
{
    return find(weights, wants, &wants->outer[outer], 0) != NULL;
}

/* ---- what is wanted ---- */

static bool flag_of(const lmd_config *config, size_t offset)
{
    bool flag;
    memcpy(&flag, (const char *)config + offset, sizeof flag);
    return flag;
}

static bool is_on(const lmd_want *want, const lmd_config *config)
{
    return want->flag == 0 || flag_of(config, want->flag);
}

static const lmd_want *want_at(const lmd_wants *wants, int i)
{
    return i < wants->n_outer ? &wants->outer[i] : &wants->block[i - wants->n_outer];
}

static bool is_first_of_flag(const lmd_wants *wants, int i)
{
    for (int j = 0; j < i; j++) {
        if (want_at(wants, j)->flag == want_at(wants, i)->flag) {
            return false;
        }
    }
    return true;
}

void lmd_model_set_flags(lmd_config *config, const lmd_weights *weights,
                         const lmd_wants *wants)
{
    for (int i = 0; i < wants->n_outer + wants->n_block; i++) {
        const lmd_want *const want = want_at(wants, i);
        if (want->flag != 0 && is_first_of_flag(wants, i)) {
            const bool is_there = find(weights, wants, want, 0) != NULL;
            memcpy((char *)config + want->flag, &is_there, sizeof is_there);
        }
    }
}

/* A tied head counts as the embedding. */
static bool is_needed(const lmd_wants *wants, const lmd_config *config, int outer)
{
    return is_on(&wants->outer[outer], config) &&
           (outer != wants->head || !config->is_tied);
}

/* ---- what is missing ---- */

static void append_name(lmd_text *list, const char *name)
{
    lmd_text_append_format(list, "%s%s", list->size ? ", " : "", name);
}

static int list_missing_outer(lmd_text *list, const lmd_weights *weights,
                              const lmd_wants *wants, const lmd_config *config,
                              const lmd_found *found)
{
    int count = 0;
    for (int i = 0; i < wants->n_outer; i++) {
        if (!found->outer[i] && is_needed(wants, config, i)) {
            append_name(list, pattern_of(weights, wants, &wants->outer[i]));
            count++;
        }
    }
    return count;
}

static bool is_missing(const lmd_found *found, const lmd_wants *wants, int block, int i)
{
    return !found->blocks[(size_t)block * (size_t)wants->n_block + (size_t)i];
}

/* Names of one kind of tensor, each on its own. */
static int list_each(lmd_text *list, const char *pattern, const lmd_wants *wants,
                     const lmd_found *found, int i, int N)
{
    int count = 0;
    for (int block = 0; block < N; block++) {
        if (is_missing(found, wants, block, i)) {
            char name[NAME_SIZE];
            char number[16];
            (void)snprintf(number, sizeof number, "%d", block);
            fill_name(name, pattern, number);
            count++;
            if (list->size <= LIST_SIZE) {
                append_name(list, name);
            }
        }
    }
    return count;
}

/* The same with the blocks as ranges: model.layers.{3-5,9}.mlp.up_proj.weight. */
static void list_ranges(lmd_text *list, const char *pattern, const lmd_wants *wants,
                        const lmd_found *found, int i, int N)
{
    const size_t head = strcspn(pattern, "#");
    bool is_open = false;
    for (int block = 0; block < N; block++) {
        const int first = block;
        while (block < N && is_missing(found, wants, block, i)) {
            block++;
        }
        if (block == first) {
            continue;
        }
        if (is_open) {
            lmd_text_append_string(list, ",");
        } else {
            lmd_text_append_format(list, "%s%.*s{", list->size ? ", " : "", (int)head,
                                   pattern);
        }
        is_open = true;
        lmd_text_append_format(list, block - first > 1 ? "%d-%d" : "%d", first,
                               block - 1);
    }
    if (is_open) {
        lmd_text_append_format(list, "}%s", pattern + head + 1);
    }
}

static int list_missing(lmd_text *list, const lmd_weights *weights,
                        const lmd_wants *wants, const lmd_config *config,
                        const lmd_found *found)
{
    int count = list_missing_outer(list, weights, wants, config, found);
    for (int i = 0; i < wants->n_block; i++) {
        if (is_on(&wants->block[i], config)) {
            const char *const pattern = pattern_of(weights, wants, &wants->block[i]);
            count += list_each(list, pattern, wants, found, i, config->N);
        }
    }
    if (list->size > LIST_SIZE) {
        lmd_text_clear(list);
        (void)list_missing_outer(list, weights, wants, config, found);
        for (int i = 0; i < wants->n_block; i++) {
            if (is_on(&wants->block[i], config)) {
                const char *const pattern = pattern_of(weights, wants, &wants->block[i]);
                list_ranges(list, pattern, wants, found, i, config->N);
            }
        }
    }
    return count;
}

static lmd_status check_missing(const lmd_weights *weights, const lmd_wants *wants,
                                const lmd_config *config, const lmd_found *found)
{
    lmd_text list = {0};
    const int count = list_missing(&list, weights, wants, config, found);
    const lmd_status status =
        count == 0 ? LMD_OK
                   : lmd_status_set(LMD_INPUT, "%s: %d tensor%s missing: %s",
                                    lmd_weights_path(weights), count,
                                    count == 1 ? " is" : "s are", lmd_text_string(&list));
    lmd_text_clear(&list);
    return status;
}

/* ---- what is there ---- */

static int member(const lmd_config *config, size_t offset)
{
    int value;
    memcpy(&value, (const char *)config + offset, sizeof value);
    return value;
}

static void describe_shape(char text[64], int n_dims, const int64_t *shape)
{
    size_t at = (size_t)snprintf(text, 64, "(");
    for (int i = 0; i < n_dims && at < 60; i++) {
        at += (size_t)snprintf(text + at, 64 - at, "%s%lld", i ? ", " : "",
                               (long long)shape[i]);
    }
    (void)snprintf(text + (at < 62 ? at : 62), 2, ")");
}

/* The shape of a wanted tensor in this file; returns its dimensions. */
static int wanted_shape(int64_t shape[3], const lmd_weights *weights,
                        const lmd_want *want, const lmd_config *config)
{
    const bool is_gguf = lmd_model_is_gguf(weights);
    const int64_t C = member(config, want->C);
    if (want->form == LMD_FORM_VECTOR) {
        shape[0] = C;
        return 1;
    }
    const int64_t O = member(config, want->O);
    shape[0] = O;
    shape[1] = C;
    if (want->form == LMD_FORM_TRANSPOSED && !is_gguf) {
        shape[0] = C;
        shape[1] = O;
    }
    if (want->form == LMD_FORM_CHANNELS && !is_gguf) {
        shape[1] = 1;
        shape[2] = C;
        return 3;
    }
    return 2;
}

/* Shape and type. */
static lmd_status check_form(const lmd_weights *weights, const lmd_want *want,
                             const lmd_tensor *tensor, const lmd_config *config)
{
    int64_t wanted[3];
    const int n_dims = wanted_shape(wanted, weights, want, config);
    if (tensor->n_dims == n_dims &&
        memcmp(tensor->shape, wanted, (size_t)n_dims * sizeof *wanted) == 0) {
        return lmd_weights_check_type(weights, tensor);
    }
    char is[64];
    char should[64];
    describe_shape(is, tensor->n_dims, tensor->shape);
    describe_shape(should, n_dims, wanted);
    return lmd_status_set(LMD_INPUT,
                          "%s: tensor '%s' has shape %s, the config makes it %s",
                          lmd_weights_path(weights), tensor->name, is, should);
}

static lmd_status check_forms(const lmd_weights *weights, const lmd_wants *wants,
                              const lmd_config *config, const lmd_found *found)
{
    for (int i = 0; i < wants->n_outer; i++) {
        if (found->outer[i]) {
            LMD_TRY(check_form(weights, &wants->outer[i], found->outer[i], config));
        }
    }
    const size_t count = (size_t)config->N * (size_t)wants->n_block;
    for (size_t i = 0; i < count; i++) {
        if (found->blocks[i]) {
            LMD_TRY(check_form(weights, &wants->block[i % (size_t)wants->n_block],
                               found->blocks[i], config));
        }
    }
    return LMD_OK;
}

/* ---- what nobody wants ---- */

/* The block's number in a name that has this pattern, 0 for a pattern without; -1 when
 * the name has another. Numbers as %d writes them, so that each name has one reading. */
static int match(const char *name, const char *pattern, int N)
{
    const size_t head = strcspn(pattern, "#");
    if (pattern[head] == 0) {
        return strcmp(name, pattern) == 0 ? 0 : -1;
    }
    if (strncmp(name, pattern, head) != 0) {
        return -1;
    }
    const size_t width = strspn(name + head, "0123456789");
    if (width < 1 || width > 8 || (width > 1 && name[head] == '0') ||
        strcmp(name + head + width, pattern + head + 1) != 0) {
        return -1;
    }
    int block = 0;
    for (size_t i = 0; i < width; i++) {
        block = 10 * block + (name[head + i] - '0');
    }
    return block < N ? block : -1;
}

static bool is_wanted(const char *name, const char *const *patterns, int n, int N)
{
    for (int i = 0; i < n; i++) {
        if (patterns[i] && match(name, patterns[i], N) >= 0) {
            return true;
        }
    }
    return false;
}

static bool ends_with(const char *name, const char *end)
{
    const size_t length = strlen(name);
    const size_t width = strlen(end);
    return length >= width && strcmp(name + length - width, end) == 0;
}

static bool is_harmless(const char *name, const char *const *endings)
{
    for (; endings && *endings; endings++) {
        if (ends_with(name, *endings)) {
            return true;
        }
    }
    return false;
}

static lmd_status check_unwanted(const lmd_weights *weights, const lmd_wants *wants,
                                 const lmd_config *config)
{
    const int n = wants->n_outer + wants->n_block;
    const char **const patterns = lmd_memory_new((size_t)n, sizeof *patterns);
    for (int i = 0; i < n; i++) {
        const lmd_want *const want = want_at(wants, i);
        patterns[i] = is_on(want, config) ? pattern_of(weights, wants, want) : NULL;
    }
    lmd_text list = {0};
    int count = 0;
    for (int i = 0; i < lmd_weights_count(weights); i++) {
        const char *const name = lmd_weights_at(weights, i)->name;
        if (!is_wanted(name, patterns, n, config->N) &&
            !is_harmless(name, wants->harmless)) {
            count++;
            if (list.size < LIST_SIZE) {
                append_name(&list, name);
            }
        }
    }
    lmd_memory_free(patterns);
    const lmd_status status =
        count == 0
            ? LMD_OK
            : lmd_status_set(LMD_INPUT, "%s: %d tensor%s no part of this model: %s",
                             lmd_weights_path(weights), count,
                             count == 1 ? " is" : "s are", lmd_text_string(&list));
    lmd_text_clear(&list);
    return status;
}

static int64_t values_of(const lmd_tensor *tensor)
{
    return tensor ? tensor->n_rows * tensor->row_length : 0;
}

lmd_status lmd_model_find_tensors(lmd_found *found, const lmd_weights *weights,
                                  const lmd_wants *wants, const lmd_config *config)
{
    /* A config of a million blocks is to fail before it takes time and memory. */
    if (config->N > lmd_weights_count(weights)) {
        return lmd_status_set(
            LMD_INPUT, "%s: holds %d tensors, but the config says %d blocks",
            lmd_weights_path(weights), lmd_weights_count(weights), config->N);
    }
    const size_t n_block = (size_t)wants->n_block;
    found->outer = lmd_memory_new((size_t)wants->n_outer, sizeof *found->outer);
    found->blocks = lmd_memory_new((size_t)config->N * n_block, sizeof *found->blocks);
    for (int i = 0; i < wants->n_outer; i++) {
        const lmd_want *const want = &wants->outer[i];
        const lmd_tensor *const tensor =
            is_on(want, config) ? find(weights, wants, want, 0) : NULL;
        found->outer[i] = tensor;
        /* What Hugging Face has not is made from the config: no parameter of its own. */
        found->parameters +=
            want->hugging_face && is_needed(wants, config, i) ? values_of(tensor) : 0;
    }
    for (size_t i = 0; i < (size_t)config->N * n_block; i++) {
        const lmd_want *const want = &wants->block[i % n_block];
        const lmd_tensor *const tensor =
            is_on(want, config) ? find(weights, wants, want, (int)(i / n_block)) : NULL;
        found->blocks[i] = tensor;
        found->parameters += values_of(tensor);
    }
    LMD_TRY(check_missing(weights, wants, config, found));
    LMD_TRY(check_forms(weights, wants, config, found));
    return check_unwanted(weights, wants, config);
}

void lmd_model_clear_found(lmd_found *found)
{
    lmd_memory_free(found->outer);
    lmd_memory_free(found->blocks);
    *found = (lmd_found){0};
}

/* ---- loading ---- */

/* Rows that fit into one request. */
static int64_t rows_at_once(const lmd_tensor *tensor)
{
    const int64_t row_bytes =
        tensor->n_rows ? (int64_t)tensor->n_bytes / tensor->n_rows : 0;
    const int64_t rows = row_bytes ? REQUEST_BYTES / row_bytes : tensor->n_rows;
    return rows < 1 ? 1 : rows > tensor->n_rows ? tensor->n_rows : rows;
}

/* For so many rows of values of `size` bytes. */
static void *new_buffer(const lmd_tensor *tensor, size_t size)
{
    return lmd_memory_new_aligned((size_t)(rows_at_once(tensor) * tensor->row_length),
                                  size);
}

lmd_matrix_type lmd_model_packed_type(const lmd_tensor *const *tensors, int n)
{
    for (int i = 1; i < n; i++) {
        if (strcmp(tensors[i]->type, tensors[0]->type) != 0) {
            return LMD_F32;
        }
    }
    return strcmp(tensors[0]->type, "F16") == 0    ? LMD_F16
           : strcmp(tensors[0]->type, "BF16") == 0 ? LMD_BF16
                                                   : LMD_F32;
}

/* Rows [first, first + n) of the tensor, `values` of `type`. */
static void put(lmd_matrix *matrix, const lmd_source *source, int first, int n,
                const void *values, lmd_matrix_type type)
{
    if (source->is_transposed) {
        lmd_matrix_put_channels(matrix, first, n, source->first,
                                (int)source->tensor->row_length, values, type);
    } else if (source->places) {
        lmd_matrix_put_rows(matrix, source->first, source->places + first, n, values,
                            type);
    } else {
        lmd_matrix_put_rows(matrix, source->first + first, NULL, n, values, type);
    }
}

/* Half floats that stay what they are are not widened on the way. */
lmd_status lmd_model_load_matrix(const lmd_weights *weights, const lmd_source *source,
                                 lmd_matrix *matrix)
{
    const lmd_tensor *const tensor = source->tensor;
    const int64_t step = rows_at_once(tensor);
    const bool is_kept = lmd_model_packed_type(&tensor, 1) == matrix->type;
    const lmd_matrix_type type = is_kept ? matrix->type : LMD_F32;
    void *const buffer =
        new_buffer(tensor, type == LMD_F32 ? sizeof(float) : sizeof(uint16_t));
    lmd_status status = LMD_OK;
    assert(!source->is_transposed || !source->places);
    for (int64_t first = 0; first < tensor->n_rows && status == LMD_OK; first += step) {
        const int64_t left = tensor->n_rows - first;
        const int64_t n = left < step ? left : step;
        status = type == LMD_F32
                     ? lmd_weights_read_rows(weights, tensor, first, n, buffer)
                     : lmd_weights_read_halves(weights, tensor, first, n, buffer);
        if (status == LMD_OK) {
            put(matrix, source, (int)first, (int)n, buffer, type);
        }
    }
    lmd_memory_free(buffer);
    return status;
}

lmd_status lmd_model_load_rows(const lmd_weights *weights, const lmd_tensor *tensor,
                               float *out)
{
    if (!tensor) {
        return LMD_OK;
    }
    const int64_t step = rows_at_once(tensor);
    for (int64_t first = 0; first < tensor->n_rows; first += step) {
        const int64_t left = tensor->n_rows - first;
        LMD_TRY(lmd_weights_read_rows(weights, tensor, first, left < step ? left : step,
                                      out + first * tensor->row_length));
    }
    return LMD_OK;
}

lmd_status lmd_model_load_vector(const lmd_weights *weights, const lmd_tensor *tensor,
                                 const int32_t *places, float *out)
{
    if (!tensor || !places) {
        return lmd_model_load_rows(weights, tensor, out);
    }
    const int64_t n = values_of(tensor);
    float *const values = lmd_memory_new((size_t)n, sizeof *values);
    const lmd_status status = lmd_model_load_rows(weights, tensor, values);
    for (int64_t i = 0; i < n && status == LMD_OK; i++) {
        out[places[i]] = values[i];
    }
    lmd_memory_free(values);
    return status;
}

lmd_status lmd_model_check_equal(const lmd_weights *weights, const lmd_tensor *a,
                                 const lmd_tensor *b)
{
    const int64_t step = rows_at_once(a);
    float *const buffer_a = new_buffer(a, sizeof *buffer_a);
    float *const buffer_b = new_buffer(a, sizeof *buffer_b);
    lmd_status status = LMD_OK;
    for (int64_t first = 0; first < a->n_rows && status == LMD_OK; first += step) {
        const int64_t left = a->n_rows - first;
        const int64_t n = left < step ? left : step;
        status = lmd_weights_read_rows(weights, a, first, n, buffer_a);
        if (status == LMD_OK) {
            status = lmd_weights_read_rows(weights, b, first, n, buffer_b);
        }
        const size_t n_bytes = (size_t)(n * a->row_length) * sizeof(float);
        if (status == LMD_OK && memcmp(buffer_a, buffer_b, n_bytes) != 0) {
            status =
                lmd_status_set(LMD_INPUT,
                               "%s: the config ties the unembedding to the embedding, "
                               "but tensors '%s' and '%s' differ",
                               lmd_weights_path(weights), a->name, b->name);
        }
    }
    lmd_memory_free(buffer_a);
    lmd_memory_free(buffer_b);
    return status;
}
