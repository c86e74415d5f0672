/* A job file as a tree of scalars, lists and mappings that remember where they stand. */
#ifndef LMDEPTH_JOB_TREE_H
#define LMDEPTH_JOB_TREE_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <lmdepth/base/status.h> /* lmd_status */

typedef enum job_node_kind { JOB_SCALAR, JOB_LIST, JOB_MAPPING } job_node_kind;

typedef struct job_node {
    job_node_kind kind;
    char *key;               /* owned; NULL outside a mapping */
    char *where;             /* owned: "demo.yaml:7" or "--set" */
    const char *folder;      /* borrowed: what a relative path in it is relative to */
    char *text;              /* owned; of a scalar */
    bool is_void;            /* a scalar of which nothing is written: "key:" */
    struct job_node **items; /* owned */
    size_t n_items;
} job_node;

/* Reads a YAML text. `name` (of the file, for messages) is copied, `folder` borrowed.
 * LMD_USAGE, with line, for what is no YAML or uses anchors, tags or several documents;
 * *out is the document, a mapping. */
lmd_status job_tree_read(job_node **out, const char *name, const char *folder,
                         const char *bytes, size_t n_bytes);
void job_tree_free(job_node *node); /* accepts NULL */

/* A scalar outside any tree, for a default. */
job_node *job_tree_new_scalar(const char *text, const char *where);

/* Sets `key` ("prompts.length", "title", "corpus.path") to a scalar, in place of what is
 * there. LMD_USAGE for corpus.* when there is more than one source. */
lmd_status job_tree_set(job_node *root, const char *key, const char *value,
                        const char *where);

/* A scalar that is not void becomes the list of its comma-separated words, or a mapping
 * with itself under `key`. Other nodes stay as they are. */
void job_tree_make_list(job_node *node);
void job_tree_make_mapping(job_node *node, const char *key);

/* The item of that key, NULL when there is none. */
job_node *job_tree_find(const job_node *mapping, const char *key);

#endif
