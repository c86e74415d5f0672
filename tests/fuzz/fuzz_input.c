/* Readers take paths, so an input becomes a file in /dev/shm: that costs a few
 * microseconds and no disk. Their verdict is the sanitizers', the limits of time and
 * memory of libFuzzer, and the few promises of the headers that are held here. */
#include "fuzz_input.h"

#include <fcntl.h>  /* open */
#include <stdio.h>  /* snprintf */
#include <stdlib.h> /* abort, getenv, mkdtemp */
#include <string.h> /* strlen, memmem */
#include <unistd.h> /* write */
#include <lmdepth/base/memory.h>

/* What is read goes here, so that the compiler can't leave the reading out. */
static volatile double sink;

enum {
    N_PATHS = 8,
    LONGEST_PATH = 128,
    LARGEST_TENSOR = 1 << 20,
    LARGEST_DATA = 1 << 18
};

/* ---- parts of an input ---- */

unsigned int fuzz_choose(fuzz_bytes *input, unsigned int n)
{
    if (input->n == 0) {
        return 0;
    }
    const unsigned int choice = input->at[0] % n;
    input->at++;
    input->n--;
    return choice;
}

fuzz_bytes fuzz_next_part(fuzz_bytes *input)
{
    static const char mark[] = "\n%%%%\n";
    const size_t length = sizeof mark - 1;
    fuzz_bytes part = *input;
    const uint8_t *const end =
        input->n == 0 ? NULL : memmem(input->at, input->n, mark, length);
    if (end) {
        part.n = (size_t)(end - input->at);
    }
    const size_t taken = end ? part.n + length : part.n;
    input->at += taken;
    input->n -= taken;
    return part;
}

char *fuzz_copy_text(fuzz_bytes part)
{
    return lmd_memory_copy_bytes(part.n > 0 ? (const char *)part.at : "", part.n);
}

bool fuzz_is_read(lmd_status status)
{
    static int is_said = -1;
    if (is_said < 0) {
        is_said = getenv("FUZZ_SAY") != NULL;
    }
    if (is_said) {
        (void)fprintf(stderr, "%s\n", status == LMD_OK ? "read" : lmd_status_message());
    }
    return status == LMD_OK;
}

/* ---- files ---- */

const char *fuzz_folder(void)
{
    static char folder[LONGEST_PATH / 2];
    if (folder[0] == 0) {
        const char *const parent = getenv("TMPDIR");
        (void)snprintf(folder, sizeof folder, "%s/fuzz-XXXXXX",
                       parent ? parent : "/dev/shm");
        if (!mkdtemp(folder)) {
            abort();
        }
    }
    return folder;
}

const char *fuzz_write(const char *name, fuzz_bytes content)
{
    static char paths[N_PATHS][LONGEST_PATH];
    static int n;
    char *const path = paths[n++ % N_PATHS];
    (void)snprintf(path, LONGEST_PATH, "%s/%s", fuzz_folder(), name);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 ||
        (content.n > 0 && write(file, content.at, content.n) != (ssize_t)content.n)) {
        abort();
    }
    (void)close(file);
    return path;
}

/* The largest number before a bracket, where the last data offset stands; 0 when it is
 * more than LARGEST_DATA. */
static size_t find_data_end(fuzz_bytes text)
{
    size_t largest = 0;
    size_t number = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.at[i] == ']') {
            largest = number > largest ? number : largest;
        }
        const bool is_digit = text.at[i] >= '0' && text.at[i] <= '9';
        number = is_digit ? 10 * number + (size_t)(text.at[i] - '0') : 0;
        if (number > LARGEST_DATA) {
            return 0;
        }
    }
    return largest;
}

const char *fuzz_write_safetensors(const char *name, fuzz_bytes header)
{
    const uint64_t length = header.n;
    const size_t n_data = find_data_end(header);
    lmd_text file = {0};
    lmd_text_append(&file, &length, sizeof length);
    lmd_text_append(&file, header.at, header.n);
    memset(lmd_text_reserve(&file, n_data), '<', n_data); // finite in F32, F16 and BF16
    file.size += n_data;
    const char *const path =
        fuzz_write(name, (fuzz_bytes){(const uint8_t *)file.bytes, file.size});
    lmd_text_clear(&file);
    return path;
}

/* ---- memory ---- */

void fuzz_check_memory(void)
{
    static int64_t live = -1;
    if (live >= 0 && lmd_memory_live() != live) {
        abort();
    }
    live = lmd_memory_live();
}

/* ---- weights ---- */

static void read_strings(const lmd_weights *weights, const char *key)
{
    const lmd_bytes *texts = NULL;
    size_t n = 0;
    if (lmd_weights_get_strings(weights, key, &texts, &n)) {
        for (size_t i = 0; i < n; i++) {
            if (texts[i].bytes[texts[i].size] != 0) {
                abort();
            }
        }
    }
}

static void read_numbers(const lmd_weights *weights, const char *key)
{
    const int64_t *integers = NULL;
    const double *reals = NULL;
    size_t n = 0;
    if (lmd_weights_get_ints(weights, key, &integers, &n) && n > 0) {
        sink = (double)integers[n - 1];
    }
    if (lmd_weights_get_reals(weights, key, &reals, &n) && n > 0) {
        sink = reals[n - 1];
    }
}

static void read_keys(const lmd_weights *weights)
{
    for (int i = 0; i < lmd_weights_key_count(weights); i++) {
        const char *const key = lmd_weights_key_at(weights, i);
        lmd_bytes text = {0};
        if (!lmd_weights_has(weights, key) ||
            (lmd_weights_get_string(weights, key, &text) && text.bytes[text.size] != 0)) {
            abort();
        }
        read_strings(weights, key);
        read_numbers(weights, key);
    }
}

static void read_tensor(const lmd_weights *weights, const lmd_tensor *tensor)
{
    if (lmd_weights_find(weights, tensor->name) != tensor || tensor->n_rows < 0 ||
        tensor->row_length < 0) {
        abort();
    }
    int64_t n = 0;
    if (__builtin_mul_overflow(tensor->n_rows, tensor->row_length, &n)) {
        abort();
    }
    if (n > LARGEST_TENSOR) {
        return;
    }
    float *const values = lmd_memory_new((size_t)n, sizeof *values);
    int64_t *const integers = lmd_memory_new((size_t)n, sizeof *integers);
    (void)lmd_weights_read_rows(weights, tensor, 0, tensor->n_rows, values);
    if (tensor->n_rows > 1) {
        (void)lmd_weights_read_rows(weights, tensor, tensor->n_rows - 1, 1, values);
    }
    (void)lmd_weights_read_int64(weights, tensor, integers);
    lmd_memory_free(integers);
    lmd_memory_free(values);
}

void fuzz_read_weights(const char *path)
{
    lmd_weights *weights = NULL;
    if (!fuzz_is_read(lmd_weights_open(&weights, path))) {
        return;
    }
    read_keys(weights);
    for (int i = 0; i < lmd_weights_count(weights); i++) {
        read_tensor(weights, lmd_weights_at(weights, i));
    }
    lmd_weights_close(weights);
}

/* ---- tokenizers ---- */

static void encode(const lmd_tokenizer *tokenizer, lmd_encoder *encoder, const char *text)
{
    lmd_ids ids = {0};
    int64_t n_specials = 0;
    if (fuzz_is_read(lmd_token_encode(encoder, text, strlen(text), &ids, &n_specials))) {
        for (size_t i = 0; i < ids.count; i++) {
            if (ids.ids[i] >= (uint32_t)lmd_token_vocab(tokenizer)) {
                abort();
            }
        }
    }
    lmd_ids_clear(&ids);
}

static void look_at_pieces(const lmd_tokenizer *tokenizer)
{
    const int n = lmd_token_vocab(tokenizer);
    for (int id = 0; id < n; id += 1 + n / 1000) {
        size_t size = 0;
        const char *const piece = lmd_token_piece(tokenizer, id, &size);
        for (size_t i = 0; i < size; i++) {
            sink = piece[i];
        }
        sink = lmd_token_is_special(tokenizer, id);
    }
    sink = (double)strlen(lmd_token_describe(tokenizer));
    sink = lmd_token_adds_bos(tokenizer);
    if (lmd_token_bos(tokenizer) < -1 || lmd_token_bos(tokenizer) >= n) {
        abort();
    }
}

void fuzz_use_tokenizer(lmd_tokenizer *tokenizer)
{
    static const char *const texts[] = {
        "Hello, w\xC3\xB6rld 123 <s>a  b\n\xF0\x9F\x98\x80 l'\xE2\x82\xAC",
        " hel he  1\xCC\x81 \xEF\xAC\x81\xE2\x96\x81<special>\t\xE4\xB8\xAD<|endoftext|>",
        "x<single_word> <single_word>\xC3\xA9 <lstrip> \n <rstrip> <Normalized>",
        "",
    };
    lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        encode(tokenizer, encoder, texts[i]);
    }
    lmd_token_free_encoder(encoder);
    look_at_pieces(tokenizer);
    lmd_token_close(tokenizer);
}
