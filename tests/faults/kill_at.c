/* Kills the program it is loaded into (LD_PRELOAD) just before a chosen change of the
 * file system, so that a test can stop it between any two of them.
 *
 *     KILL_AT=7         the seventh change that counts; 0 or unset: none
 *     KILL_OF=state.    only changes of files with this in their name count
 *     KILL_CALL=unlink  only these: create, sync, rename, link, unlink
 *     KILL_RANK=0       only in this rank of a launched job
 *     KILL_ONLY=lmdepth only in the program of this name (default)
 *
 * Or makes it slow, so that on any machine there is time to do something to it:
 *
 *     PAUSE=5000        microseconds that each read of a pack takes longer */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int open64(const char *path, int flags, ...);
ssize_t pread64(int file, void *out, size_t n, off64_t at);

static const char *setting(const char *name, const char *otherwise)
{
    const char *const value = getenv(name);
    return value && *value ? value : otherwise;
}

static int has_part(const char *path, const char *part)
{
    const size_t n = strlen(part);
    const size_t n_path = strlen(path);
    if (n == 0 || part[n - 1] != '$') {
        return strstr(path, part) != NULL;
    }
    return n_path >= n - 1 && strncmp(path + n_path - (n - 1), part, n - 1) == 0;
}

static int is_chosen(const char *call, const char *path)
{
    const char *const of = setting("KILL_OF", "");
    const char *const which = setting("KILL_CALL", call);
    const char *const rank = setting("KILL_RANK", "");
    return strcmp(program_invocation_short_name, setting("KILL_ONLY", "lmdepth")) == 0 &&
           strcmp(which, call) == 0 && has_part(path, of) &&
           strncmp(path, "/dev/", 5) != 0 && strncmp(path, "/tmp/ompi", 9) != 0 &&
           (*rank == 0 || strcmp(rank, setting("OMPI_COMM_WORLD_RANK", "0")) == 0);
}

static void count(const char *call, const char *path)
{
    static int n;
    if (is_chosen(call, path) && ++n == atoi(setting("KILL_AT", "0"))) {
        fprintf(stderr, "kill_at: before %s of %s\n", call, path);
        (void)kill(getpid(), SIGKILL);
    }
}

static void path_of(int file, char *path, size_t size)
{
    char link[64];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const ssize_t n = readlink(link, path, size - 1);
    path[n > 0 ? n : 0] = 0;
}

/* `name` is in the open folder, or "" for the open file itself. */
static void count_open(const char *call, int file, const char *name)
{
    char path[4096];
    path_of(file, path, sizeof path - 300);
    (void)snprintf(path + strlen(path), 300, "%s%.250s", *name ? "/" : "", name);
    count(call, path);
}

/* The next function of this name: libc's. */
static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static int open_next(const char *name, const char *path, int flags, mode_t mode)
{
    int (*call)(const char *, int, ...);
    *(void **)&call = next(name);
    if (flags & O_CREAT) {
        count("create", path);
    }
    return call(path, flags, mode);
}

static mode_t mode_of(int flags, va_list list)
{
    return flags & O_CREAT ? va_arg(list, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    const mode_t mode = mode_of(flags, list);
    va_end(list);
    return open_next("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    const mode_t mode = mode_of(flags, list);
    va_end(list);
    return open_next("open64", path, flags, mode);
}

static void pause_for(int file)
{
    char path[4096];
    const int microseconds = atoi(setting("PAUSE", "0"));
    if (microseconds > 0) {
        path_of(file, path, sizeof path);
        (void)usleep(strstr(path, "/chunk.") != NULL ? (useconds_t)microseconds : 0);
    }
}

ssize_t pread(int file, void *out, size_t n, off_t at)
{
    ssize_t (*call)(int, void *, size_t, off_t);
    *(void **)&call = next("pread");
    pause_for(file);
    return call(file, out, n, at);
}

ssize_t pread64(int file, void *out, size_t n, off64_t at)
{
    ssize_t (*call)(int, void *, size_t, off64_t);
    *(void **)&call = next("pread64");
    pause_for(file);
    return call(file, out, n, at);
}

int fsync(int file)
{
    int (*call)(int);
    *(void **)&call = next("fsync");
    count_open("sync", file, "");
    return call(file);
}

int rename(const char *from, const char *to)
{
    int (*call)(const char *, const char *);
    *(void **)&call = next("rename");
    count("rename", to);
    return call(from, to);
}

int link(const char *from, const char *to)
{
    int (*call)(const char *, const char *);
    *(void **)&call = next("link");
    count("link", to);
    return call(from, to);
}

int unlink(const char *path)
{
    int (*call)(const char *);
    *(void **)&call = next("unlink");
    count("unlink", path);
    return call(path);
}

int unlinkat(int folder, const char *path, int flags)
{
    int (*call)(int, const char *, int);
    *(void **)&call = next("unlinkat");
    count_open("unlink", folder, path);
    return call(folder, path, flags);
}
