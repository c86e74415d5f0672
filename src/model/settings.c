/* Settings are flattened to (name, value) pairs, and a family's table is held against
 * them row by row. What remains afterwards is refused by name: the authors of a model add
 * a key when they change the arithmetic, and a reader that skips what it does not know
 * computes another model without a word. Three things may remain: what is off (null,
 * false, 0, "" and empty containers), and what lmd_model_harmless_keys lists.
 *
 * The forms of config.json are those of transformers 4 and 5; the GGUF keys are those of
 * the specification in ggml's docs/gguf.md. */
#include "settings.h"

#include <ctype.h>
#include <jansson.h>             /* json_t */
#include <lmdepth/base/file.h>   /* lmd_file_read_all */
#include <lmdepth/base/memory.h> /* lmd_memory_resize */
#include <lmdepth/base/text.h>   /* lmd_text */
#include <math.h>                /* isfinite */
#include <stdio.h>               /* snprintf */
#include <string.h>              /* strcmp */

enum {
    LARGEST_CONFIG = 16 << 20, /* bytes of a config.json */
    LONGEST_KEY = 256,
    LARGEST_SIZE = 1 << 24 /* keeps products of two sizes far from overflow */
};

/* For every family. Dropout acts in training alone, beams and penalties in generation,
 * labels in classification; the rest are names, token ids and storage. */
const lmd_key lmd_model_harmless_keys[] = {
    LMD_ANY("_*"),
    LMD_ANY("architectures"),
    LMD_ANY("model_type"),
    LMD_ANY("transformers_version"),
    LMD_ANY("transformers.js_config*"),
    LMD_ANY("unsloth_*"),
    LMD_ANY("dtype"),
    LMD_ANY("torch_dtype"),
    LMD_ANY("use_cache"),
    LMD_ANY("cache_implementation"),
    LMD_ANY("attn_implementation"),
    LMD_ANY("initializer_range"),
    LMD_ANY("neftune_noise_alpha"),
    LMD_ANY("attention_dropout"),
    LMD_ANY("hidden_dropout"),
    LMD_ANY("resid_pdrop"),
    LMD_ANY("embd_pdrop"),
    LMD_ANY("attn_pdrop"),
    LMD_ANY("pad_token_id"),
    LMD_ANY("eos_token_id"),
    LMD_ANY("unk_token_id"),
    LMD_ANY("sep_token_id"),
    LMD_ANY("cls_token_id"),
    LMD_ANY("mask_token_id"),
    LMD_ANY("decoder_start_token_id"),
    LMD_ANY("tokenizer_*"),
    LMD_ANY("model_max_length"),
    LMD_ANY("max_sequence_length"),
    LMD_ANY("is_decoder"),
    LMD_ANY("return_dict*"),
    LMD_ANY("output_*"),
    LMD_ANY("torchscript"),
    LMD_ANY("id2label*"),
    LMD_ANY("label2id*"),
    LMD_ANY("num_labels"),
    LMD_ANY("problem_type"),
    LMD_ANY("finetuning_task"),
    LMD_ANY("task_specific_params*"),
    LMD_ANY("do_sample"),
    LMD_ANY("temperature"),
    LMD_ANY("top_k"),
    LMD_ANY("top_p"),
    LMD_ANY("typical_p"),
    LMD_ANY("max_length"),
    LMD_ANY("min_length"),
    LMD_ANY("max_new_tokens"),
    LMD_ANY("num_beams"),
    LMD_ANY("num_beam_groups"),
    LMD_ANY("num_return_sequences"),
    LMD_ANY("early_stopping"),
    LMD_ANY("length_penalty"),
    LMD_ANY("diversity_penalty"),
    LMD_ANY("repetition_penalty"),
    LMD_ANY("no_repeat_ngram_size"),
    LMD_ANY("encoder_no_repeat_ngram_size"),
    LMD_ANY("bad_words_ids"),
    LMD_ANY("suppress_tokens"),
    LMD_ANY("begin_suppress_tokens"),
    LMD_ANY("forced_bos_token_id"),
    LMD_ANY("forced_eos_token_id"),
    LMD_ANY("exponential_decay_length_penalty"),
    LMD_ANY("remove_invalid_values"),
    {0},
};

/* Transformers computes the tanh form under five names: gelu_fast writes sqrt(2 / pi)
 * with ten digits, which fp32 rounds alike. */
const lmd_word lmd_model_activation_words[] = {
    {"silu", LMD_SILU},
    {"swish", LMD_SILU},
    {"gelu", LMD_GELU},
    {"gelu_python", LMD_GELU},
    {"gelu_new", LMD_GELU_TANH},
    {"gelu_fast", LMD_GELU_TANH},
    {"gelu_accurate", LMD_GELU_TANH},
    {"gelu_pytorch_tanh", LMD_GELU_TANH},
    {"gelu_python_tanh", LMD_GELU_TANH},
    {"relu", LMD_RELU},
    {0},
};

/* ---- reading ---- */

static lmd_setting *add(lmd_settings *settings, const char *name, lmd_setting_kind kind)
{
    if (settings->count == settings->capacity) {
        settings->capacity = settings->capacity ? 2 * settings->capacity : 32;
        settings->items = lmd_memory_resize(settings->items, settings->capacity,
                                            sizeof *settings->items);
    }
    lmd_setting *const setting = &settings->items[settings->count++];
    *setting = (lmd_setting){.name = lmd_memory_copy_text(name), .kind = kind};
    return setting;
}

static void add_flag(lmd_settings *settings, const char *name, bool value)
{
    lmd_setting *const setting = add(settings, name, LMD_SETTING_FLAG);
    setting->integer = value;
    setting->is_empty = !value;
    setting->text = lmd_memory_copy_text(value ? "true" : "false");
}

static void add_integer(lmd_settings *settings, const char *name, int64_t value)
{
    lmd_setting *const setting = add(settings, name, LMD_SETTING_INTEGER);
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    setting->integer = value;
    setting->real = (double)value;
    setting->is_empty = value == 0;
    setting->text = lmd_memory_copy_text(text);
}

static void add_real(lmd_settings *settings, const char *name, double value)
{
    lmd_setting *const setting = add(settings, name, LMD_SETTING_REAL);
    char text[32];
    (void)snprintf(text, sizeof text, "%.9g", value);
    setting->real = value;
    setting->is_empty = fpclassify(value) == FP_ZERO;
    setting->text = lmd_memory_copy_text(text);
}

/* Python writes 3.0 where 3 is meant. */
static void add_number(lmd_settings *settings, const char *name, double value)
{
    const double largest = 9007199254740992.0; /* 2^53 */
    if (value >= -largest && value <= largest && !(value < floor(value)) &&
        !(value > floor(value))) {
        add_integer(settings, name, (int64_t)value);
    } else {
        add_real(settings, name, value);
    }
}

static void add_words(lmd_settings *settings, const char *name, const char *bytes,
                      size_t n_bytes)
{
    lmd_setting *const setting = add(settings, name, LMD_SETTING_WORDS);
    setting->is_empty = n_bytes == 0;
    setting->text = lmd_memory_copy_bytes(bytes, n_bytes);
}

static void add_other(lmd_settings *settings, const char *name, lmd_setting_kind kind,
                      const char *text, bool is_empty)
{
    lmd_setting *const setting = add(settings, name, kind);
    setting->is_empty = is_empty;
    setting->text = lmd_memory_copy_text(text);
}

/* The words of an array, a line feed after each; NULL when it holds anything else. */
static char *new_list(const json_t *array)
{
    lmd_text list = {0};
    size_t i;
    json_t *value;
    json_array_foreach(array, i, value)
    {
        if (!json_is_string(value) || strchr(json_string_value(value), '\n')) {
            lmd_text_clear(&list);
            return NULL;
        }
        lmd_text_append_format(&list, "%s\n", json_string_value(value));
    }
    char *const copy = lmd_memory_copy_text(lmd_text_string(&list));
    lmd_text_clear(&list);
    return copy;
}

static void add_array(lmd_settings *settings, const char *name, const json_t *array)
{
    add_other(settings, name, LMD_SETTING_OTHER, "[...]", json_array_size(array) == 0);
    settings->items[settings->count - 1].list = new_list(array);
}

static void add_json(lmd_settings *settings, const char *name, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
        add_other(settings, name, LMD_SETTING_NOTHING, "null", true);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        add_flag(settings, name, json_is_true(value));
        break;
    case JSON_INTEGER:
        add_integer(settings, name, json_integer_value(value));
        break;
    case JSON_REAL:
        add_number(settings, name, json_real_value(value));
        break;
    case JSON_STRING:
        add_words(settings, name, json_string_value(value), json_string_length(value));
        break;
    case JSON_ARRAY:
        add_array(settings, name, value);
        break;
    case JSON_OBJECT:
        add_other(settings, name, LMD_SETTING_OTHER, "{...}",
                  json_object_size(value) == 0);
        break;
    }
}

/* Members of `object`, named `prefix` + key. Objects inside the outermost one are entered
 * too, deeper ones are not: no model keeps what it needs there. */
static lmd_status add_members(lmd_settings *settings, json_t *object, const char *prefix)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (strlen(key) > LONGEST_KEY) {
            return lmd_status_set(LMD_INPUT, "%s: a key of more than %d bytes: %.40s...",
                                  settings->path, LONGEST_KEY, key);
        }
        char name[2 * LONGEST_KEY + 2];
        (void)snprintf(name, sizeof name, "%s%s", prefix, key);
        if (*prefix == 0 && json_object_size(value) > 0) {
            char inner[LONGEST_KEY + 2];
            (void)snprintf(inner, sizeof inner, "%.*s.", LONGEST_KEY, key);
            LMD_TRY(add_members(settings, value, inner));
        } else {
            add_json(settings, name, value);
        }
    }
    return LMD_OK;
}

/* A number beyond 64 bits (a model_max_length of 10^30) is a real number. */
static json_t *load_json(const lmd_text *text, json_error_t *error)
{
    const char *const bytes = lmd_text_string(text);
    json_t *const root = json_loadb(bytes, text->size, JSON_REJECT_DUPLICATES, error);
    return root || json_error_code(error) != json_error_numeric_overflow
               ? root
               : json_loadb(bytes, text->size,
                            JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, error);
}

lmd_status lmd_model_read_json(lmd_settings *settings, const char *path)
{
    settings->path = path;
    lmd_text text = {0};
    lmd_status status = lmd_file_read_all(path, LARGEST_CONFIG, &text);
    if (status != LMD_OK) {
        lmd_text_clear(&text);
        return status;
    }
    json_error_t error;
    json_t *const root = load_json(&text, &error);
    lmd_text_clear(&text);
    if (!root) {
        return lmd_status_set(LMD_INPUT, "%s:%d: %s", path, error.line, error.text);
    }
    status = json_is_object(root)
                 ? add_members(settings, root, "")
                 : lmd_status_set(LMD_INPUT, "%s: is no JSON object", path);
    json_decref(root);
    return status;
}

/* A key of another program's or purpose's does not say how the model computes. */
static bool is_about_model(const char *key, const char *architecture)
{
    const size_t length = strlen(architecture);
    return (strncmp(key, architecture, length) == 0 && key[length] == '.') ||
           strncmp(key, "split.", 6) == 0 || strncmp(key, "adapter.", 8) == 0 ||
           strcmp(key, "general.type") == 0 ||
           strcmp(key, "tokenizer.ggml.bos_token_id") == 0;
}

lmd_status lmd_model_read_gguf(lmd_settings *settings, const lmd_weights *weights,
                               const char *architecture)
{
    settings->path = lmd_weights_path(weights);
    const int count = lmd_weights_key_count(weights);
    for (int i = 0; i < count; i++) {
        const char *const key = lmd_weights_key_at(weights, i);
        int64_t integer;
        double real;
        bool flag;
        lmd_bytes words;
        if (!is_about_model(key, architecture)) {
            continue;
        }
        if (lmd_weights_get_int(weights, key, &integer)) {
            add_integer(settings, key, integer);
        } else if (lmd_weights_get_real(weights, key, &real)) {
            add_real(settings, key, real);
        } else if (lmd_weights_get_bool(weights, key, &flag)) {
            add_flag(settings, key, flag);
        } else if (lmd_weights_get_string(weights, key, &words)) {
            add_words(settings, key, words.bytes, words.size);
        } else {
            add_other(settings, key, LMD_SETTING_OTHER, "[...]", false);
        }
    }
    return LMD_OK;
}

void lmd_model_clear_settings(lmd_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        lmd_memory_free(settings->items[i].name);
        lmd_memory_free(settings->items[i].text);
        lmd_memory_free(settings->items[i].list);
    }
    lmd_memory_free(settings->items);
    *settings = (lmd_settings){0};
}

/* ---- using ---- */

static lmd_setting *find(const lmd_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->count; i++) {
        if (strcmp(settings->items[i].name, name) == 0) {
            return &settings->items[i];
        }
    }
    return NULL;
}

const char *lmd_model_find_words(const lmd_settings *settings, const char *name)
{
    const lmd_setting *const setting = find(settings, name);
    return setting && setting->kind == LMD_SETTING_WORDS ? setting->text : NULL;
}

static lmd_status refuse(const lmd_settings *settings, const lmd_setting *setting,
                         const char *what_is)
{
    // Of "32" the quotes are what is wrong.
    const bool is_odd =
        setting->kind == LMD_SETTING_WORDS && !isalpha((unsigned char)setting->text[0]);
    const char *const quote = is_odd ? "\"" : "";
    return lmd_status_set(LMD_INPUT, "%s: key '%s' is %s%s%s, which is not supported: %s",
                          settings->path, setting->name, quote, setting->text, quote,
                          what_is);
}

static void know_all(lmd_settings *settings, const char *pattern)
{
    const size_t length = strcspn(pattern, "*");
    for (size_t i = 0; i < settings->count; i++) {
        const char *const name = settings->items[i].name;
        if (pattern[length] == '*' ? strncmp(name, pattern, length) == 0
                                   : strcmp(name, pattern) == 0) {
            settings->items[i].is_known = true;
        }
    }
}

static bool is_among(const char *text, const char *values)
{
    const size_t length = strlen(text);
    while (*values) {
        const size_t width = strcspn(values, "|");
        if (width == length && memcmp(values, text, width) == 0) {
            return true;
        }
        values += width + (values[width] == '|');
    }
    return false;
}

static lmd_status take_size(const lmd_settings *settings, const lmd_setting *setting,
                            int least, int *out)
{
    if (setting->kind != LMD_SETTING_INTEGER || setting->integer < least ||
        setting->integer > LARGEST_SIZE) {
        char what[64];
        (void)snprintf(what, sizeof what, "an integer from %d to 2^24 belongs here",
                       least);
        return refuse(settings, setting, what);
    }
    *out = (int)setting->integer;
    return LMD_OK;
}

static lmd_status take_real(const lmd_settings *settings, const lmd_setting *setting,
                            double *out)
{
    const bool is_number =
        setting->kind == LMD_SETTING_REAL || setting->kind == LMD_SETTING_INTEGER;
    const float rounded = (float)setting->real;
    if (!is_number || !isfinite(rounded) || rounded <= 0) {
        return refuse(settings, setting, "a positive number belongs here");
    }
    *out = (double)rounded;
    return LMD_OK;
}

static lmd_status take_share(const lmd_settings *settings, const lmd_setting *setting,
                             double *out)
{
    double rounded = 0;
    LMD_TRY(take_real(settings, setting, &rounded));
    if (setting->real > 1) {
        return refuse(settings, setting, "at most 1 is");
    }
    *out = setting->real;
    return LMD_OK;
}

static lmd_status take_only(const lmd_settings *settings, const lmd_setting *setting,
                            const char *values)
{
    char what[64];
    (void)snprintf(what, sizeof what, "%s is", values);
    return is_among(setting->text, values) ? LMD_OK : refuse(settings, setting, what);
}

static const lmd_word *find_word(const lmd_word *words, const char *text, size_t length)
{
    for (const lmd_word *known = words; known->word; known++) {
        if (strlen(known->word) == length && memcmp(known->word, text, length) == 0) {
            return known;
        }
    }
    return NULL;
}

static lmd_status refuse_word(const lmd_settings *settings, const lmd_setting *setting,
                              const lmd_word *words)
{
    lmd_text known = {0};
    for (const lmd_word *word = words; word->word; word++) {
        lmd_text_append_format(&known, "%s%s", known.size ? ", " : "", word->word);
    }
    lmd_text_append_string(&known, " are");
    const lmd_status status = refuse(settings, setting, lmd_text_string(&known));
    lmd_text_clear(&known);
    return status;
}

static lmd_status take_word(const lmd_settings *settings, const lmd_setting *setting,
                            const lmd_word *words, void *out)
{
    const lmd_word *const word = find_word(words, setting->text, strlen(setting->text));
    if (!word || setting->kind != LMD_SETTING_WORDS) {
        return refuse_word(settings, setting, words);
    }
    memcpy(out, &word->value, sizeof word->value);
    return LMD_OK;
}

static lmd_status take_list(const lmd_settings *settings, const lmd_setting *setting,
                            const lmd_word *words, lmd_block_flags *out)
{
    if (!setting->list) {
        return refuse(settings, setting, "a list of words belongs here");
    }
    *out = (lmd_block_flags){0};
    for (const char *at = setting->list; *at; out->count++) {
        const size_t length = strcspn(at, "\n");
        const lmd_word *const word = find_word(words, at, length);
        if (!word || out->count == LMD_LISTED_BLOCKS) {
            return lmd_status_set(
                LMD_INPUT, "%s: key '%s' holds %.*s for block %d, which is not supported",
                settings->path, setting->name, (int)(length < 80 ? length : 80), at,
                out->count);
        }
        out->is_set[out->count] = word->value != 0;
        at += length + 1;
    }
    return LMD_OK;
}

static lmd_status take(const lmd_settings *settings, const lmd_setting *setting,
                       const lmd_key *key, lmd_config *config)
{
    void *const member = (char *)config + key->member;
    switch (key->kind) {
    case LMD_KEY_LIMIT:
    case LMD_KEY_SIZE:
        return take_size(settings, setting, 1, member);
    case LMD_KEY_COUNT:
        return take_size(settings, setting, 0, member);
    case LMD_KEY_REAL:
        return take_real(settings, setting, member);
    case LMD_KEY_SHARE:
        return take_share(settings, setting, member);
    case LMD_KEY_ID:
        if (setting->kind == LMD_SETTING_INTEGER && setting->integer >= 0 &&
            setting->integer < LARGEST_SIZE) {
            *(int *)member = (int)setting->integer;
        }
        return LMD_OK;
    case LMD_KEY_FLAG:
        if (setting->kind != LMD_SETTING_FLAG) {
            return refuse(settings, setting, "true or false belongs here");
        }
        *(bool *)member = setting->integer != 0;
        return LMD_OK;
    case LMD_KEY_EITHER:
        if (setting->kind != LMD_SETTING_WORDS) {
            return take_size(settings, setting, 1, member);
        }
        return take_word(settings, setting, key->words, member);
    case LMD_KEY_WORD:
        return take_word(settings, setting, key->words, member);
    case LMD_KEY_LIST:
        return take_list(settings, setting, key->words, member);
    case LMD_KEY_ONLY:
        return take_only(settings, setting, key->only);
    case LMD_KEY_ANY:
        return LMD_OK;
    }
    return LMD_OK;
}

lmd_status lmd_model_apply_keys(lmd_settings *settings, const lmd_key *keys,
                                lmd_config *config)
{
    for (const lmd_key *key = keys; key->name; key++) {
        if (key->kind == LMD_KEY_ANY) {
            know_all(settings, key->name);
            continue;
        }
        lmd_setting *const setting = find(settings, key->name);
        if (setting && setting->kind != LMD_SETTING_NOTHING) {
            LMD_TRY(take(settings, setting, key, config));
            setting->is_known = true;
        } else if (setting && key->kind == LMD_KEY_LIMIT) {
            *(int *)(void *)((char *)config + key->member) = 0;
        } else if (key->is_needed) {
            return lmd_status_set(LMD_INPUT, "%s: key '%s' is missing", settings->path,
                                  key->name);
        }
    }
    return LMD_OK;
}

lmd_status lmd_model_refuse_rest(const lmd_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        const lmd_setting *const setting = &settings->items[i];
        if (!setting->is_known && !setting->is_empty) {
            return refuse(settings, setting,
                          "a key that is not known may change the arithmetic");
        }
    }
    return LMD_OK;
}
