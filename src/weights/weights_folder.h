/* Which file a model's path means. */
#ifndef LMDEPTH_WEIGHTS_FOLDER_H
#define LMDEPTH_WEIGHTS_FOLDER_H

#include <lmdepth/base/status.h> /* lmd_status */

/* `path` itself when it is no folder, else the file in it that holds the weights; *file
 * is owned by the caller and NULL after a failure. */
lmd_status lmd_weights_locate(char **file, const char *path);

#endif
