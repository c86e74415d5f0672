/* Seconds that one thread takes to encode a file, a line a record, read beforehand.
 *
 *     time_tokens TOKENIZER TEXT [REPETITIONS]
 *
 * A line of standard output for each repetition: seconds and ids. With a second argument
 * of the form 10000000:WORD the text is WORD repeated to so many bytes, one record. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lmdepth/base/file.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/base/status.h>
#include <lmdepth/token.h>

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static lmd_status encode_lines(lmd_encoder *encoder, const lmd_text *text, lmd_ids *ids,
                               size_t *n_ids)
{
    const char *const bytes = lmd_text_string(text);
    *n_ids = 0;
    for (size_t at = 0; at < text->size;) {
        const char *const end = memchr(bytes + at, '\n', text->size - at);
        const size_t next = end == NULL ? text->size : (size_t)(end - bytes);
        ids->count = 0;
        LMD_TRY(lmd_token_encode(encoder, bytes + at, next - at, ids, NULL));
        *n_ids += ids->count;
        at = next + 1;
    }
    return LMD_OK;
}

static lmd_status read_text(const char *name, lmd_text *text)
{
    char *word = NULL;
    const size_t size = strtoull(name, &word, 10);
    if (size == 0 || *word != ':' || word[1] == '\0') {
        return lmd_file_read_all(name, (size_t)1 << 40, text);
    }
    while (text->size + strlen(word + 1) <= size) {
        lmd_text_append(text, word + 1, strlen(word + 1));
    }
    return LMD_OK;
}

static lmd_status time_tokenizer(const char *path, const char *name, int repetitions)
{
    lmd_tokenizer *tokenizer = NULL;
    lmd_text text = {0};
    lmd_ids ids = {0};
    LMD_TRY(read_text(name, &text));
    LMD_TRY(lmd_token_open(&tokenizer, path));
    lmd_encoder *const encoder = lmd_token_new_encoder(tokenizer);
    lmd_status status = LMD_OK;
    for (int i = 0; i < repetitions && status == LMD_OK; i++) {
        size_t n_ids = 0;
        const double began = seconds_now();
        status = encode_lines(encoder, &text, &ids, &n_ids);
        printf("%.6f %zu\n", seconds_now() - began, n_ids);
    }
    lmd_ids_clear(&ids);
    lmd_text_clear(&text);
    lmd_token_free_encoder(encoder);
    lmd_token_close(tokenizer);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: time_tokens TOKENIZER TEXT [REPETITIONS]\n");
        return 2;
    }
    const int repetitions = argc == 4 ? atoi(argv[3]) : 1;
    if (time_tokenizer(argv[1], argv[2], repetitions) != LMD_OK) {
        fprintf(stderr, "%s\n", lmd_status_message());
        return 1;
    }
    return 0;
}
