/* Post-processors, of which only one thing matters here: what they put in front of a
 * text. (No BOS or EOS is added by this room.) */
#ifndef LMDEPTH_TOKEN_POST_PROCESSOR_H
#define LMDEPTH_TOKEN_POST_PROCESSOR_H

#include <jansson.h>             /* json_t */
#include <lmdepth/base/status.h> /* lmd_status */

/* The id that a post_processor of tokenizer.json puts in front of a single text, -1 when
 * it puts none there. More than one, and kinds that are not known: LMD_INPUT. */
lmd_status lmd_post_processor_front(json_t *json, int *id);

#endif
