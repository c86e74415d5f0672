/* Who holds a lock. A file looks like this:
 *
 *     lmdepth lock 1
 *     host n017
 *     process 4711 88123            its number, and when it started (clock ticks)
 *     job 123456                    SLURM_JOB_ID, or -
 *     beat 1767225600               seconds since 1970, renewed in place */
#include "lock_holder.h"

#include <stdio.h>  /* sscanf */
#include <stdlib.h> /* getenv */
#include <string.h> /* strcmp */
#include <sys/stat.h>
#include <time.h>
#include <unistd.h> /* gethostname */
#include <lmdepth/base/file.h>

enum { STALE_SECONDS = 5 * 60, LARGEST = 4096 };

/* Field 22 of /proc/<process>/stat; 0 when there is no such process, or only what a
 * killed one leaves until its parent looks. */
static unsigned long long start_of(long long process)
{
    char path[64];
    unsigned long long started = 0;
    (void)snprintf(path, sizeof path, "/proc/%lld/stat", process);
    FILE *const file = fopen(path, "re");
    if (!file) {
        return 0;
    }
    char line[1024] = "";
    const size_t n = fread(line, 1, sizeof line - 1, file);
    line[n] = 0;
    (void)fclose(file);
    const char *at = strrchr(line, ')'); /* the name before it may hold anything */
    if (at && (strncmp(at, ") Z", 3) == 0 || strncmp(at, ") X", 3) == 0)) {
        return 0;
    }
    for (int field = 2; at && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    return at && sscanf(at, "%llu", &started) == 1 ? started : 0;
}

static void copy_word(char out[LOCK_NAME_SIZE], const char *word)
{
    (void)snprintf(out, LOCK_NAME_SIZE, "%s", word && *word ? word : "-");
    for (char *c = out; *c; c++) {
        *c = lmd_text_is_white(*c) || *c == '/' ? '_' : *c;
    }
}

lock_holder lock_describe_self(void)
{
    lock_holder self = {.process = (long long)getpid()};
    char host[LOCK_NAME_SIZE] = "";
    (void)gethostname(host, sizeof host - 1);
    copy_word(self.host, host);
    copy_word(self.job, getenv("SLURM_JOB_ID"));
    self.started = start_of(self.process);
    self.beat = (long long)time(NULL);
    return self;
}

void lock_format_holder(const lock_holder *holder, lmd_text *out)
{
    lmd_text_append_format(
        out, "lmdepth lock 1\nhost %s\nprocess %lld %llu\njob %s\nbeat %020lld\n",
        holder->host, holder->process, holder->started, holder->job, holder->beat);
}

static bool parse_holder(const char *text, lock_holder *out)
{
    return sscanf(text, "lmdepth lock 1 host %127s process %lld %llu job %127s beat %lld",
                  out->host, &out->process, &out->started, out->job, &out->beat) == 5 &&
           out->beat >= 0; /* so that no difference of two overflows */
}

bool lock_read_holder(const char *path, lock_holder *out)
{
    lmd_text text = {0};
    struct stat info;
    *out = (lock_holder){.host = "an unknown host", .job = "-"};
    if (stat(path, &info) != 0) {
        return false;
    }
    const bool is_read = lmd_file_read_all(path, LARGEST, &text) == LMD_OK;
    out->is_understood = is_read && parse_holder(lmd_text_string(&text), out);
    if (!out->is_understood) {
        *out = (lock_holder){.host = "an unknown host", .job = "-"};
        out->beat = (long long)info.st_mtime;
    }
    lmd_text_clear(&text);
    return true;
}

bool lock_is_gone(const lock_holder *holder, const lock_holder *self)
{
    if (strcmp(holder->host, self->host) == 0) {
        const unsigned long long started = start_of(holder->process);
        return started == 0 || started != holder->started;
    }
    const bool is_our_job =
        strcmp(self->job, "-") != 0 && strcmp(holder->job, self->job) == 0;
    return is_our_job || self->beat - holder->beat > STALE_SECONDS;
}

bool lock_is_same(const lock_holder *a, const lock_holder *b)
{
    return strcmp(a->host, b->host) == 0 && a->process == b->process &&
           a->started == b->started && a->beat == b->beat;
}

void lock_append_holder(const lock_holder *holder, lmd_text *out)
{
    const long long age = (long long)time(NULL) - holder->beat;
    const bool has_job = strcmp(holder->job, "-") != 0;
    lmd_text_append_format(out, "process %lld on %s%s%s (last sign of life %lld s ago)",
                           holder->process, holder->host, has_job ? ", Slurm job " : "",
                           has_job ? holder->job : "", age < 0 ? 0 : age);
}
