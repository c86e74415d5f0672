/* Models in several files: shards that an index.json lists, parts of a split GGUF. */
#ifndef LMDEPTH_WEIGHTS_PARTS_H
#define LMDEPTH_WEIGHTS_PARTS_H

#include <stdbool.h>             /* bool */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/weights.h>     /* lmd_weights */

#define LMD_INDEX_EXTENSION ".index.json"

/* One file, whatever it is a part of (weights.c). */
lmd_status lmd_weights_open_file(lmd_weights **out, const char *path);

/* All shards of an index. Index and shards must agree, tensor by tensor; what is missing
 * is named all at once. */
lmd_status lmd_weights_open_index(lmd_weights **out, const char *path);

/* When *weights are one part of a split GGUF model, they are replaced by the whole of it.
 * After a failure they are closed and NULL. */
lmd_status lmd_weights_complete_split(lmd_weights **weights);

/* Do two names of files belong to one split GGUF model? */
bool lmd_weights_is_same_split(const char *name, const char *other);

#endif
