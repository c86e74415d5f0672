/* Inside of lmd_corpus, for the room's own files. */
#ifndef LMDEPTH_CORPUS_FILES_H
#define LMDEPTH_CORPUS_FILES_H

#include <stdint.h> /* uint64_t */
#include "format.h"

typedef struct corpus_source {
    char *path;        /* owned */
    char *field;       /* owned */
    char *group;       /* owned; the label of all its records unless group_field */
    char *group_field; /* owned; NULL: none */
    char *where;       /* owned */
} corpus_source;

typedef struct corpus_file {
    char *path; /* owned */
    uint64_t n_bytes;
    const corpus_format *format;
    int source;
} corpus_file;

struct lmd_corpus {
    corpus_source *sources; /* owned (n_sources) */
    int n_sources;
    corpus_file *files; /* owned (n_files) */
    int n_files;
    int *units; /* owned (n_units + 1): the first file of each */
    int n_units;
};

/* A record's key: what all that looks like chance depends on. */
static inline uint64_t corpus_record_key(int file, uint64_t offset)
{
    return lmd_hash_mix(lmd_hash_mix((uint64_t)file) ^ offset);
}

static inline bool corpus_is_sampled(const lmd_policy *policy, uint64_t key)
{
    const uint64_t h = lmd_hash_mix(lmd_hash_mix(policy->seed + 1) ^ key);
    return lmd_hash_is_below(h, policy->sample) != 0;
}

#endif
