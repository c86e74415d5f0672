/* The zip container of torch.save: entries, and where their bytes lie in the file. */
#ifndef LMDEPTH_WEIGHTS_TORCH_ZIP_H
#define LMDEPTH_WEIGHTS_TORCH_ZIP_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdint.h>              /* uint64_t */
#include <lmdepth/base/file.h>   /* lmd_file */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/base/text.h>   /* lmd_text */

typedef struct lmd_zip lmd_zip;

/* LMD_INPUT when it is no zip file or damaged. `file` is borrowed. */
lmd_status lmd_weights_zip_open(lmd_zip **out, const lmd_file *file);
void lmd_weights_zip_close(lmd_zip *zip); /* accepts NULL */

/* The first entry whose name ends so; NULL when there is none. Borrowed. */
const char *lmd_weights_zip_find_end(const lmd_zip *zip, const char *end);

bool lmd_weights_zip_has(const lmd_zip *zip, const char *name);

/* A whole entry of at most `limit` bytes, its checksum tested, appended to `out`. */
lmd_status lmd_weights_zip_read(const lmd_zip *zip, const char *name, size_t limit,
                                lmd_text *out);

/* Where in the file the bytes of an entry lie; LMD_INPUT when they are compressed or
 * encrypted. `offset` is 0 for an empty one. */
lmd_status lmd_weights_zip_place(const lmd_zip *zip, const char *name, uint64_t *offset,
                                 uint64_t *size);

#endif
