/* A set of strings that are numbered in the order in which they come. */
#ifndef LMDEPTH_CORPUS_LABELS_H
#define LMDEPTH_CORPUS_LABELS_H

#include <stddef.h> /* size_t */

typedef struct corpus_labels {
    char **names; /* owned (count) */
    int count;
    int *slots; /* owned (n_slots): numbers by hash, -1 where none */
    int n_slots;
} corpus_labels; /* {0} is an empty one */

void corpus_labels_clear(corpus_labels *labels);

/* The number of a label, a new one when it is new. */
int corpus_labels_number(corpus_labels *labels, const char *name, size_t n_bytes);

#endif
