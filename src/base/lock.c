/* The lock appears whole: it is written under another name and linked, which fails when
 * there is one already. One whose holder is gone is moved aside before the next try, and
 * looked at again there: of two programs that find it at the same moment only one moves
 * it, and who has moved a new lock by mistake puts it back.
 *
 *     lmdepth lock 1
 *     host n017
 *     process 4711 88123            its number, and when it started (clock ticks)
 *     job 123456                    SLURM_JOB_ID, or -
 *     beat 1767225600               seconds since 1970, renewed in place */
#include <lmdepth/base/lock.h>

#include <errno.h> /* errno */
#include <fcntl.h> /* open */
#include <pthread.h>
#include <stdio.h>  /* sscanf */
#include <stdlib.h> /* getenv */
#include <string.h> /* strcmp */
#include <sys/stat.h>
#include <time.h>
#include <unistd.h> /* link, gethostname */
#include <lmdepth/base/file.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/base/text.h>

enum { BEAT_SECONDS = 60, STALE_SECONDS = 5 * 60, NAME_SIZE = 128, LARGEST = 4096 };

/* What a lock file says. */
typedef struct lock_holder {
    char host[NAME_SIZE];
    long long process;
    unsigned long long started;
    char job[NAME_SIZE]; /* "-": none */
    long long beat;
} lock_holder;

struct lmd_lock {
    char *path; /* owned */
    lock_holder holder;
    ino_t inode;
    pthread_t thread;
    pthread_mutex_t mutex; /* of the two below */
    pthread_cond_t wake;
    bool is_ending;
    bool is_lost;
};

/* ---- who ---- */

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

static void copy_word(char out[NAME_SIZE], const char *word)
{
    (void)snprintf(out, NAME_SIZE, "%s", word && *word ? word : "-");
    for (char *c = out; *c; c++) {
        *c = lmd_text_is_white(*c) ? '_' : *c;
    }
}

static lock_holder describe_self(void)
{
    lock_holder self = {.process = (long long)getpid()};
    char host[NAME_SIZE] = "";
    (void)gethostname(host, sizeof host - 1);
    copy_word(self.host, host);
    copy_word(self.job, getenv("SLURM_JOB_ID"));
    self.started = start_of(self.process);
    self.beat = (long long)time(NULL);
    return self;
}

/* ---- the file ---- */

/* Fixed widths, so that a beat can be written in place. */
static void format_holder(const lock_holder *holder, lmd_text *out)
{
    lmd_text_append_format(
        out, "lmdepth lock 1\nhost %s\nprocess %lld %llu\njob %s\nbeat %020lld\n",
        holder->host, holder->process, holder->started, holder->job, holder->beat);
}

static bool parse_holder(const char *text, lock_holder *out)
{
    return sscanf(text, "lmdepth lock 1 host %127s process %lld %llu job %127s beat %lld",
                  out->host, &out->process, &out->started, out->job, &out->beat) == 5;
}

/* What is at `path`; false when there is nothing or it can't be understood, which counts
 * as a sign of life of the time it was written. */
static bool read_holder(const char *path, lock_holder *out)
{
    lmd_text text = {0};
    struct stat info;
    *out = (lock_holder){.host = "an unknown host", .job = "-"};
    if (stat(path, &info) != 0) {
        return false;
    }
    const bool is_read = lmd_file_read_all(path, LARGEST, &text) == LMD_OK;
    if (!is_read || !parse_holder(lmd_text_string(&text), out)) {
        *out = (lock_holder){.host = "an unknown host", .job = "-"};
        out->beat = (long long)info.st_mtime;
    }
    lmd_text_clear(&text);
    return true;
}

static bool is_gone(const lock_holder *holder, const lock_holder *self)
{
    if (strcmp(holder->host, self->host) == 0) {
        const unsigned long long started = start_of(holder->process);
        return started == 0 || started != holder->started;
    }
    const bool is_our_job =
        strcmp(self->job, "-") != 0 && strcmp(holder->job, self->job) == 0;
    return is_our_job || self->beat - holder->beat > STALE_SECONDS;
}

/* ---- taking ---- */

/* LMD_OK when there was none; LMD_FAILED when there is one already. */
static lmd_status create(const char *path, const lock_holder *self)
{
    lmd_text text = {0};
    lmd_text own = {0};
    format_holder(self, &text);
    lmd_text_append_format(&own, "%s.%s.%lld", path, self->host, self->process);
    lmd_status status = lmd_file_write(own.bytes, text.bytes, text.size);
    if (status == LMD_OK && link(own.bytes, path) != 0) {
        status = errno == EEXIST ? LMD_FAILED
                                 : lmd_status_set(LMD_RESOURCE, "%s: can't be made: %s",
                                                  path, strerror(errno));
    }
    (void)unlink(own.bytes);
    lmd_text_clear(&own);
    lmd_text_clear(&text);
    return status;
}

static bool is_same(const lock_holder *a, const lock_holder *b)
{
    return strcmp(a->host, b->host) == 0 && a->process == b->process &&
           a->started == b->started && a->beat == b->beat;
}

/* Moves away a lock whose holder is gone. */
static void move_aside(const char *path, const lock_holder *gone, const lock_holder *self)
{
    lmd_text aside = {0};
    lock_holder moved;
    lmd_text_append_format(&aside, "%s.gone.%s.%lld", path, self->host, self->process);
    if (rename(path, aside.bytes) == 0) {
        if (read_holder(aside.bytes, &moved) && !is_same(&moved, gone)) {
            (void)link(aside.bytes, path); /* somebody was faster and has taken it */
        }
        (void)unlink(aside.bytes);
    }
    lmd_text_clear(&aside);
}

static void append_holder(const lock_holder *holder, lmd_text *out)
{
    const long long age = (long long)time(NULL) - holder->beat;
    const bool has_job = strcmp(holder->job, "-") != 0;
    lmd_text_append_format(out, "process %lld on %s%s%s (last sign of life %lld s ago)",
                           holder->process, holder->host, has_job ? ", Slurm job " : "",
                           has_job ? holder->job : "", age < 0 ? 0 : age);
}

static lmd_status refuse(const char *path, const lock_holder *holder)
{
    lmd_text who = {0};
    append_holder(holder, &who);
    const lmd_status status = lmd_status_set(
        LMD_USAGE, "%s: in use by %s; if it is gone for certain, remove this file", path,
        who.bytes);
    lmd_text_clear(&who);
    return status;
}

bool lmd_lock_describe(const char *path, lmd_text *who)
{
    const lock_holder self = describe_self();
    lock_holder holder = {0};
    if (!read_holder(path, &holder) || is_gone(&holder, &self)) {
        return false;
    }
    append_holder(&holder, who);
    return true;
}

/* ---- the beat ---- */

/* Writes the time into the file, if it is still ours. */
static bool beat(lmd_lock *lock)
{
    struct stat info;
    lmd_text text = {0};
    const int file = open(lock->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) {
        return errno != ENOENT; /* what can't be opened now may be there next time */
    }
    const bool is_ours = fstat(file, &info) == 0 && info.st_ino == lock->inode;
    lock->holder.beat = (long long)time(NULL);
    format_holder(&lock->holder, &text);
    if (is_ours) {
        /* A full disk does not matter here: the bytes are there already. */
        const ssize_t written = pwrite(file, text.bytes, text.size, 0);
        (void)written;
        (void)fsync(file);
    }
    (void)close(file);
    lmd_text_clear(&text);
    return is_ours;
}

static void *keep_beating(void *context)
{
    lmd_lock *const lock = context;
    (void)pthread_mutex_lock(&lock->mutex);
    while (!lock->is_ending && !lock->is_lost) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += BEAT_SECONDS;
        const int why = pthread_cond_timedwait(&lock->wake, &lock->mutex, &until);
        if (why == ETIMEDOUT && !lock->is_ending) {
            lock->is_lost = !beat(lock);
        }
    }
    (void)pthread_mutex_unlock(&lock->mutex);
    return NULL;
}

static lmd_lock *start(const char *path, const lock_holder *self)
{
    lmd_lock *const lock = lmd_memory_new(1, sizeof *lock);
    struct stat info;
    lock->path = lmd_memory_copy_text(path);
    lock->holder = *self;
    lock->inode = stat(path, &info) == 0 ? info.st_ino : 0;
    (void)pthread_mutex_init(&lock->mutex, NULL);
    (void)pthread_cond_init(&lock->wake, NULL);
    /* Without its thread the lock still holds on this host. */
    lock->is_ending = pthread_create(&lock->thread, NULL, keep_beating, lock) != 0;
    return lock;
}

lmd_status lmd_lock_take(lmd_lock **out, const char *path)
{
    const lock_holder self = describe_self();
    lock_holder holder = {0};
    *out = NULL;
    for (int attempt = 0; attempt < 8; attempt++) {
        const lmd_status status = create(path, &self);
        if (status == LMD_OK) {
            *out = start(path, &self);
            return LMD_OK;
        }
        if (status != LMD_FAILED) {
            return status;
        }
        if (read_holder(path, &holder)) {
            if (!is_gone(&holder, &self)) {
                return refuse(path, &holder);
            }
            move_aside(path, &holder, &self);
        }
    }
    return refuse(path, &holder);
}

bool lmd_lock_is_lost(const lmd_lock *lock)
{
    lmd_lock *const own = (lmd_lock *)(uintptr_t)lock; /* its mutex changes */
    (void)pthread_mutex_lock(&own->mutex);
    const bool is_lost = own->is_lost;
    (void)pthread_mutex_unlock(&own->mutex);
    return is_lost;
}

void lmd_lock_release(lmd_lock *lock)
{
    if (!lock) {
        return;
    }
    (void)pthread_mutex_lock(&lock->mutex);
    const bool has_thread = !lock->is_ending;
    lock->is_ending = true;
    (void)pthread_cond_signal(&lock->wake);
    (void)pthread_mutex_unlock(&lock->mutex);
    if (has_thread) {
        (void)pthread_join(lock->thread, NULL);
    }
    struct stat info;
    if (stat(lock->path, &info) == 0 && info.st_ino == lock->inode) {
        (void)unlink(lock->path);
    }
    (void)pthread_cond_destroy(&lock->wake);
    (void)pthread_mutex_destroy(&lock->mutex);
    lmd_memory_free(lock->path);
    lmd_memory_free(lock);
}
