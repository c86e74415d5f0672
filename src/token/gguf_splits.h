/* How the vocabularies of GGUF files cut text, by name. */
#ifndef LMDEPTH_TOKEN_GGUF_SPLITS_H
#define LMDEPTH_TOKEN_GGUF_SPLITS_H

#include <stdbool.h>             /* bool */
#include <lmdepth/base/status.h> /* lmd_status */
#include "normalizer.h"          /* lmd_normalizer */
#include "pretokenizer.h"        /* lmd_pretokenizer */

/* By tokenizer.ggml.pre of a gpt2 vocabulary; "": the key is missing. Unknown names:
 * LMD_INPUT. Results are owned by the caller; NULL where there is none. */
lmd_status lmd_gguf_split_open(const char *pre, lmd_normalizer **normalizer,
                               lmd_pretokenizer **pretokenizer, bool *ignore_merges);

#endif
