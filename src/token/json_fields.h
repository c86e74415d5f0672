/* Fields of a JSON object with messages that name the key. A missing key and null are the
 * same: the fallback. */
#ifndef LMDEPTH_TOKEN_JSON_FIELDS_H
#define LMDEPTH_TOKEN_JSON_FIELDS_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <jansson.h>             /* json_t */
#include <lmdepth/base/status.h> /* lmd_status */

lmd_status lmd_json_get_bool(const json_t *object, const char *key, bool fallback,
                             bool *value);

/* Borrowed from the object; the fallback is NULL. `size` may be NULL. */
lmd_status lmd_json_get_string(const json_t *object, const char *key, const char **value,
                               size_t *size);

/* A finite number as the reader of `tokenizers` has it. That one (serde_json) divides the
 * digits by a power of ten, which is not always the nearest number; of two ways to cut a
 * word whose scores are equal the last bit decides. */
double lmd_json_rust_number(double value);

/* Refuses, by name, every key that is not among `known` (words between spaces), unless
 * its value is null, false, or an empty string, array or object. */
lmd_status lmd_json_check_keys(json_t *object, const char *known);

#endif
