/* lmdepth tokenize: every line of standard input is a record; its ids, on one line. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "app.h"

typedef struct lmd_tokenize_arguments {
    const char *model;
    const char *bos;
    bool is_json, lists_pieces;
} lmd_tokenize_arguments;

static const struct argp_option options[] = {
    {"bos", 'b', "WHEN", 0, "auto (as Hugging Face does), always or never [auto]", 0},
    {"json", 'j', NULL, 0, "Each line is a JSON string, so that it can hold line breaks",
     0},
    {"pieces", 'p', NULL, 0,
     "Read nothing; print every id and its text as a JSON string, separated by a tab", 0},
    {0},
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    lmd_tokenize_arguments *arguments = state->input;
    switch (key) {
    case 'b':
        arguments->bos = text;
        if (strcmp(text, "auto") != 0 && strcmp(text, "always") != 0 &&
            strcmp(text, "never") != 0) {
            argp_error(state, "--bos wants auto, always or never, not '%s'", text);
        }
        break;
    case 'j':
        arguments->is_json = true;
        break;
    case 'p':
        arguments->lists_pieces = true;
        break;
    case ARGP_KEY_ARG:
        if (arguments->model != NULL) {
            argp_error(state, "one model, not '%s' as well", text);
        }
        arguments->model = text;
        break;
    case ARGP_KEY_END:
        if (arguments->model == NULL) {
            argp_error(state, "which model or tokenizer?");
        }
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp argp = {
    .options = options,
    .parser = parse_option,
    .args_doc = "MODEL",
    .doc = "Text on standard input to token ids: every line is a record, its ids stand "
           "on one "
           "line of standard output, separated by single spaces.",
};

/* The BOS to write before each record, -1 for none. */
static lmd_status choose_bos(const lmd_tokenizer *tokenizer, const char *when, int *bos)
{
    const bool is_wanted = strcmp(when, "always") == 0 ||
                           (strcmp(when, "auto") == 0 && lmd_token_adds_bos(tokenizer));
    *bos = is_wanted ? lmd_token_bos(tokenizer) : -1;
    if (is_wanted && *bos < 0) {
        return lmd_status_set(LMD_USAGE, "%s: --bos %s: the tokenizer names no BOS token",
                              lmd_token_path(tokenizer), when);
    }
    return LMD_OK;
}

static lmd_status encode_json(lmd_encoder *encoder, const char *line, size_t size,
                              lmd_ids *ids)
{
    json_error_t error;
    json_t *value = json_loadb(line, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!json_is_string(value)) {
        const char *why = value == NULL ? error.text : "it is JSON, but no string";
        const lmd_status status = lmd_status_set(LMD_INPUT, "not a JSON string: %s", why);
        json_decref(value);
        return status;
    }
    const lmd_status status = lmd_token_encode(encoder, json_string_value(value),
                                               json_string_length(value), ids, NULL);
    json_decref(value);
    return status;
}

/* Numbers are written by hand: printf would take longer than to find them. */
static void append_number(lmd_text *line, uint32_t number)
{
    char digits[12];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    if (line->size > 0) {
        lmd_text_append(line, " ", 1);
    }
    lmd_text_append(line, digits + at, sizeof digits - at);
}

static void print_ids(const lmd_ids *ids, int bos, lmd_text *line)
{
    line->size = 0;
    if (bos >= 0) {
        append_number(line, (uint32_t)bos);
    }
    for (size_t i = 0; i < ids->count; i++) {
        append_number(line, ids->ids[i]);
    }
    lmd_text_append(line, "\n", 1);
    fwrite(line->bytes, 1, line->size, stdout);
}

static lmd_status tokenize_lines(const lmd_tokenizer *tokenizer, int bos, bool is_json)
{
    lmd_encoder *encoder = lmd_token_new_encoder(tokenizer);
    lmd_ids ids = {0};
    lmd_text numbers = {0};
    char *line = NULL;
    size_t capacity = 0;
    lmd_status status = LMD_OK;
    long long number = 0;
    for (ssize_t got;
         status == LMD_OK && (got = getline(&line, &capacity, stdin)) >= 0;) {
        size_t size = (size_t)got;
        number++;
        if (size > 0 && line[size - 1] == '\n') {
            size--;
        }
        if (size > 0 && line[size - 1] == '\r') {
            size--;
        }
        ids.count = 0;
        status = is_json ? encode_json(encoder, line, size, &ids)
                         : lmd_token_encode(encoder, line, size, &ids, NULL);
        if (status == LMD_OK) {
            print_ids(&ids, bos, &numbers);
        }
    }
    free(line);
    lmd_ids_clear(&ids);
    lmd_text_clear(&numbers);
    lmd_token_free_encoder(encoder);
    return lmd_status_within(status, "standard input, line %lld", number);
}

/* A piece need not be UTF-8: bytes that are not are written as \xNN. */
static void print_piece(int id, const char *piece, size_t size)
{
    lmd_text text = {0};
    for (size_t i = 0; i < size;) {
        const size_t good = lmd_text_find_bad_utf8(piece + i, size - i);
        lmd_text_append(&text, piece + i, good);
        i += good;
        if (i < size) {
            lmd_text_append_format(&text, "\\x%02X", (unsigned)(unsigned char)piece[i++]);
        }
    }
    json_t *string = json_stringn(lmd_text_string(&text), text.size);
    char *dump = json_dumps(string, JSON_ENCODE_ANY);
    printf("%d\t%s\n", id, dump);
    free(dump);
    json_decref(string);
    lmd_text_clear(&text);
}

static void print_pieces(const lmd_tokenizer *tokenizer)
{
    for (int id = 0; id < lmd_token_vocab(tokenizer); id++) {
        size_t size;
        const char *piece = lmd_token_piece(tokenizer, id, &size);
        if (size > 0) {
            print_piece(id, piece, size);
        }
    }
}

int lmd_command_tokenize(int argc, char **argv)
{
    lmd_tokenize_arguments arguments = {.bos = "auto"};
    int code;
    if (!lmd_arguments_parse(&argp, argc, argv, &arguments, &code)) {
        return code;
    }
    lmd_tokenizer *tokenizer = NULL;
    int bos = -1;
    lmd_status status = lmd_locate_tokenizer(&tokenizer, arguments.model, NULL);
    if (status == LMD_OK && arguments.lists_pieces) {
        print_pieces(tokenizer);
    } else if (status == LMD_OK) {
        status = choose_bos(tokenizer, arguments.bos, &bos);
        status =
            status == LMD_OK ? tokenize_lines(tokenizer, bos, arguments.is_json) : status;
    }
    if (status == LMD_OK && fflush(stdout) != 0) {
        status = lmd_status_set(LMD_RESOURCE, "standard output can't be written");
    }
    lmd_token_close(tokenizer);
    return lmd_arguments_fail(status);
}
