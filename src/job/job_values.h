/* Values that are small languages, as far as they can be checked without a model. */
#ifndef LMDEPTH_JOB_VALUES_H
#define LMDEPTH_JOB_VALUES_H

#include <lmdepth/base/status.h> /* lmd_status */

/* Is it "all" or a list of indices and ranges? LMD_USAGE when not. */
lmd_status job_values_check_states(const char *text);

#endif
