/* The corpus of a job as `check` sees it: prepared for exact counts when it is small, of
 * a large one only the first pieces. */
#ifndef LMDEPTH_APP_CHECK_LOOK_H
#define LMDEPTH_APP_CHECK_LOOK_H

#include "app.h"

enum { LMD_LOOK_BYTES = 32 << 20 }; /* of text */

typedef struct lmd_look {
    bool is_exact; /* all that the job would read was looked at */
    double whole;  /* how often what was looked at goes into the job, about; exact: 1 */
    int64_t packs, tokens;
    int64_t model_packs, model_tokens; /* of these, packs with an observed position: the
                                          others do not go through the model */
    int64_t positions;                 /* observed */
    int groups;
    int64_t records, unusable;
    int64_t fates[LMD_FATE_COUNT]; /* records by fate */
} lmd_look;

/* Leaves nothing behind in the temporary folder. */
lmd_status lmd_look_at_corpus(const lmd_inputs *inputs, lmd_look *look);

#endif
