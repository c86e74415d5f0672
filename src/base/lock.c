/* The lock appears whole: it is written under a name of this process and linked to its
 * own, which fails when there is one already.
 *
 * One whose holder is gone may not simply be removed: another may have found the same,
 * and have taken over meanwhile. So there is a link for succeeding as well,
 * "<lock>.after.<hash of the words of who is gone>", which one alone can make. Who has
 * made it looks whether the lock still says those words, and renames its own over it. A
 * successor who has gone before he had done so is succeeded in the same way, by his
 * words. What the dead have left lying about is removed by whoever has got the lock. */
#include <lmdepth/base/lock.h>

#include <dirent.h> /* readdir */
#include <errno.h>  /* errno */
#include <fcntl.h>  /* open */
#include <pthread.h>
#include <stdio.h>  /* rename */
#include <string.h> /* strcmp */
#include <sys/stat.h>
#include <time.h>
#include <unistd.h> /* link */
#include <lmdepth/base/file.h>
#include <lmdepth/base/hash.h>
#include <lmdepth/base/memory.h>
#include "lock_holder.h"

enum {
    BEAT_SECONDS = 60,
    ATTEMPTS = 64,  /* at a lock that changes all the time */
    SUCCESSORS = 64 /* who are gone themselves, one after the other */
};

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

/* ---- taking ---- */

/* A name under which this process writes what it wants to be the lock. Caller frees. */
static char *name_own(const char *path, const lock_holder *self)
{
    lmd_text own = {0};
    lmd_text_append_format(&own, "%s.%s.%lld", path, self->host, self->process);
    return own.bytes;
}

static lmd_status write_own(const char *own, const lock_holder *self)
{
    lmd_text text = {0};
    lock_format_holder(self, &text);
    const lmd_status status = lmd_file_write(own, text.bytes, text.size);
    lmd_text_clear(&text);
    return status;
}

/* Who follows the holder of these words. Caller frees. */
static char *name_successor(const char *path, const lock_holder *gone)
{
    enum { LETTERS = 16 };
    lmd_text text = {0};
    lmd_text name = {0};
    char hex[LMD_SHA256_HEX];
    lock_format_holder(gone, &text);
    lmd_sha256_of(text.bytes, text.size, hex);
    lmd_text_append_format(&name, "%s.after.%.*s", path, LETTERS, hex);
    lmd_text_clear(&text);
    return name.bytes;
}

/* link(2); a network file system that lost its answer says that there is one, and it is
 * ours. */
static bool make_link(const char *own, const char *path)
{
    struct stat a, b;
    if (link(own, path) == 0) {
        return true;
    }
    if (errno != EEXIST) {
        return false;
    }
    const bool is_ours = stat(own, &a) == 0 && lstat(path, &b) == 0 &&
                         a.st_ino == b.st_ino && a.st_dev == b.st_dev;
    errno = EEXIST;
    return is_ours;
}

typedef enum outcome {
    TAKEN,  /* the lock is ours */
    HELD,   /* by the holder, who is not gone */
    CHANGED /* look again */
} outcome;

/* With the right to follow `gone`, or the one who is gone after him: the lock is ours if
 * it still says the first one's words. */
static outcome replace(const char *path, const char *own, const lock_holder *gone)
{
    lock_holder now;
    const bool is_still = lock_read_holder(path, &now) && lock_is_same(&now, gone);
    return is_still && rename(own, path) == 0 ? TAKEN : CHANGED;
}

/* `holder` is gone; when a successor of his is alive, that one is put in his place. */
static outcome succeed(const char *path, const char *own, const lock_holder *self,
                       lock_holder *holder)
{
    const lock_holder first = *holder;
    for (int i = 0; i < SUCCESSORS; i++) {
        char *const after = name_successor(path, holder);
        const bool is_first = make_link(own, after);
        const bool is_there = is_first || lock_read_holder(after, holder);
        outcome result = CHANGED;
        if (is_first) {
            result = replace(path, own, &first);
            (void)unlink(after);
        }
        lmd_memory_free(after);
        if (is_first || !is_there) {
            return result;
        }
        if (!lock_is_gone(holder, self)) {
            return HELD;
        }
    }
    return CHANGED;
}

/* One try at the lock. HELD: by *holder. */
static lmd_status try_once(const char *path, const char *own, const lock_holder *self,
                           lock_holder *holder, outcome *result)
{
    *result = CHANGED;
    if (make_link(own, path)) {
        *result = TAKEN;
        return LMD_OK;
    }
    if (errno == ENOENT) { /* a holder took what we had written for a dead one's */
        return write_own(own, self);
    }
    if (errno != EEXIST) {
        return lmd_status_set(LMD_RESOURCE, "%s: can't be made: %s", path,
                              strerror(errno));
    }
    if (lock_read_holder(path, holder)) {
        *result = lock_is_gone(holder, self) ? succeed(path, own, self, holder) : HELD;
    }
    return LMD_OK;
}

static lmd_status refuse(const char *path, const lock_holder *holder)
{
    lmd_text who = {0};
    lock_append_holder(holder, &who);
    const lmd_status status = lmd_status_set(
        LMD_USAGE, "%s: in use by %s; if it is gone for certain, remove this file", path,
        who.bytes);
    lmd_text_clear(&who);
    return status;
}

bool lmd_lock_describe(const char *path, lmd_text *who)
{
    const lock_holder self = lock_describe_self();
    lock_holder holder = {0};
    if (!lock_read_holder(path, &holder) || lock_is_gone(&holder, &self)) {
        return false;
    }
    lock_append_holder(&holder, who);
    return true;
}

/* ---- what the dead have left ---- */

static bool is_all(const char *text, const char *letters)
{
    return *text != 0 && text[strspn(text, letters)] == 0;
}

/* "<lock>.<host>.<process>" or "<lock>.after.<hash>". */
static bool is_ours_by_name(const char *name, const char *lock)
{
    const size_t n = strlen(lock);
    const char *const end = strrchr(name, '.');
    if (strncmp(name, lock, n) != 0 || name[n] != '.' || end <= name + n + 1) {
        return false;
    }
    return is_all(end + 1, "0123456789") ||
           (strncmp(name + n, ".after.", 7) == 0 && is_all(end + 1, "0123456789abcdef"));
}

/* Was it left by one of us who is gone? */
static bool is_left_over(const char *folder, const char *name, const char *lock,
                         const lock_holder *self)
{
    lock_holder holder;
    const size_t length = lmd_file_length_of_final(name);
    const bool is_temporary = name[length] != 0;
    char *const final = lmd_memory_copy_bytes(name, length);
    char *const path = lmd_file_join(folder, name);
    const bool is = is_ours_by_name(final, lock) && lock_read_holder(path, &holder) &&
                    (holder.is_understood || is_temporary) && lock_is_gone(&holder, self);
    lmd_memory_free(path);
    lmd_memory_free(final);
    return is;
}

/* With the lock in hand. */
static void sweep(const char *path, const lock_holder *self)
{
    char *const folder = lmd_file_folder_of(path);
    DIR *const entries = opendir(folder);
    for (const struct dirent *entry; entries && (entry = readdir(entries)) != NULL;) {
        if (is_left_over(folder, entry->d_name, lmd_file_name_of(path), self)) {
            (void)unlinkat(dirfd(entries), entry->d_name, 0);
        }
    }
    if (entries) {
        (void)closedir(entries);
    }
    lmd_memory_free(folder);
}

/* ---- the beat ---- */

/* Is what lies there ours? A file system may give the number of a removed file to the
 * next one, so that its words count as well; what can't be understood is one that is
 * being written. */
static bool is_ours(const lmd_lock *lock, const struct stat *info)
{
    lock_holder there;
    if (info->st_ino != lock->inode || !lock_read_holder(lock->path, &there)) {
        return false;
    }
    const lock_holder *const self = &lock->holder;
    return there.process == 0 ||
           (strcmp(there.host, self->host) == 0 && there.process == self->process &&
            there.started == self->started);
}

/* Writes the time into the file, if it is still ours. */
static bool beat(lmd_lock *lock)
{
    struct stat info;
    lmd_text text = {0};
    const int file = open(lock->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) {
        return errno != ENOENT; /* what can't be opened now may be there next time */
    }
    const bool is_held = fstat(file, &info) == 0 && is_ours(lock, &info);
    lock->holder.beat = (long long)time(NULL);
    lock_format_holder(&lock->holder, &text);
    if (is_held) {
        /* A full disk does not matter here: the bytes are there already. */
        const ssize_t written = pwrite(file, text.bytes, text.size, 0);
        (void)written;
        (void)fsync(file);
    }
    (void)close(file);
    lmd_text_clear(&text);
    return is_held;
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

static lmd_status take(lmd_lock **out, const char *path, const char *own,
                       const lock_holder *self)
{
    lock_holder holder = {.host = "an unknown host", .job = "-"};
    LMD_TRY(write_own(own, self));
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        outcome result;
        LMD_TRY(try_once(path, own, self, &holder, &result));
        if (result == TAKEN) {
            *out = start(path, self);
            sweep(path, self);
            return LMD_OK;
        }
        if (result == HELD) {
            break;
        }
    }
    return refuse(path, &holder);
}

lmd_status lmd_lock_take(lmd_lock **out, const char *path)
{
    const lock_holder self = lock_describe_self();
    char *const own = name_own(path, &self);
    *out = NULL;
    const lmd_status status = take(out, path, own, &self);
    (void)unlink(own);
    lmd_memory_free(own);
    return status;
}

bool lmd_lock_is_lost(const lmd_lock *lock)
{
    lmd_lock *const own = (lmd_lock *)(uintptr_t)lock; /* its mutex changes */
    (void)pthread_mutex_lock(&own->mutex);
    own->is_lost = own->is_lost || !beat(own);
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
    if (stat(lock->path, &info) == 0 && is_ours(lock, &info)) {
        (void)unlink(lock->path);
    }
    (void)pthread_cond_destroy(&lock->wake);
    (void)pthread_mutex_destroy(&lock->mutex);
    lmd_memory_free(lock->path);
    lmd_memory_free(lock);
}
