/* Unfinished work of another job is refused, by the first line of the identity that
 * differs. */

#include <stdio.h>
#include <string.h>

#include "store.h"

enum { LARGEST_IDENTITY = 1 << 30 };

enum { SHORT = 240 }; /* characters of a line in a message */

/* Length of the part of a line that counts: names of files stand behind a tab. */
static size_t length_of(const char *line)
{
    return strcspn(line, "\t\n");
}

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return line + (*line == '\n');
}

/* A line for people; a file's name first. */
static void shorten(const char *line, char out[SHORT])
{
    const char *const name = line + length_of(line);
    const int n_line = (int)(length_of(line) < SHORT / 3 ? length_of(line) : SHORT / 3);
    const int n_name = *name == '\t' ? (int)strcspn(name + 1, "\n") : 0;
    if (n_name > 0) {
        (void)snprintf(out, SHORT, "%.*s: %.*s...",
                       n_name < SHORT / 2 ? n_name : SHORT / 2, name + 1, n_line, line);
    } else {
        (void)snprintf(out, SHORT, "%.*s", n_line, *line ? line : "nothing");
    }
}

lmd_status lmd_store_check_identity(const char *folder, const char *identity)
{
    char *const path = lmd_file_join(folder, LMD_STORE_IDENTITY);
    lmd_text old = {0};
    lmd_status status = LMD_OK;
    if (lmd_store_has_snapshots(folder) && lmd_file_exists(path)) {
        status = lmd_file_read_all(path, LARGEST_IDENTITY, &old);
    }
    const char *was = lmd_text_string(&old);
    const char *is = identity;
    bool differs = false;
    while (status == LMD_OK && old.size > 0 && (*was || *is) && !differs) {
        const size_t n = length_of(was);
        differs = n != length_of(is) || memcmp(was, is, n) != 0;
        if (!differs) {
            was = next_line(was);
            is = next_line(is);
        }
    }
    if (differs) {
        char before[SHORT], now[SHORT];
        shorten(was, before);
        shorten(is, now);
        status =
            lmd_status_set(LMD_USAGE,
                           "%s holds unfinished work of another job: it had '%s', "
                           "this one has '%s'; --fresh throws that work away, --work "
                           "works elsewhere",
                           folder, before, now);
    }
    lmd_text_clear(&old);
    lmd_memory_free(path);
    return status;
}

lmd_status lmd_store_write_identity(const char *folder, const char *identity)
{
    char *const path = lmd_file_join(folder, LMD_STORE_IDENTITY);
    const lmd_status status = lmd_file_write(path, identity, strlen(identity));
    lmd_memory_free(path);
    return status;
}
