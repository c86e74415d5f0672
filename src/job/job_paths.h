/* From a path as it is written in a job to one that can be opened. */
#ifndef LMDEPTH_JOB_PATHS_H
#define LMDEPTH_JOB_PATHS_H

#include <lmdepth/base/status.h> /* lmd_status */

/* ~ and ${NAME} expanded, relative ones put behind `folder` ("": the current one). The
 * result is the caller's. LMD_USAGE for an unset NAME. */
lmd_status job_paths_resolve(const char *written, const char *folder, char **out);

/* The same for a glob: the folder's own *, ? and [ lose their meaning. */
lmd_status job_paths_resolve_glob(const char *written, const char *folder, char **out);

/* The same for a model: org/name[@revision] stays as it is unless such a file exists. */
lmd_status job_paths_resolve_model(const char *written, const char *folder, char **out);

#endif
