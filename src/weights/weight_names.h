/* Names of tensors or keys, sorted: finds one, and finds duplicates. */
#ifndef LMDEPTH_WEIGHTS_NAMES_H
#define LMDEPTH_WEIGHTS_NAMES_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */

typedef struct lmd_name {
    const char *text; /* borrowed */
    int index;        /* of the tensor or key */
} lmd_name;

/* Sorts; returns the text of a name that occurs twice, NULL when all differ. */
const char *lmd_weights_names_sort(lmd_name *names, int n);

/* The index that belongs to `text`; -1 when there is none. */
int lmd_weights_names_find(const lmd_name *names, int n, const char *text);

/* Fit to be a name: UTF-8 without control characters, 1 to 65535 bytes. So messages can
 * print names as they are. */
bool lmd_weights_names_is_good(const char *bytes, size_t n_bytes);

#endif
