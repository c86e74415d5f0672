/* Lines for people. A line is put together first and handed over in one fwrite, so that
 * lines of several ranks and threads, which share one terminal, are not mixed. Nothing
 * here allocates: the last thing that is said may be that there is no memory left. */
#include <lmdepth/base/log.h>

#include <pthread.h>           /* pthread_mutex_t */
#include <stdarg.h>            /* va_list */
#include <stdatomic.h>         /* atomic_flag */
#include <stdint.h>            /* uint64_t */
#include <stdio.h>             /* fwrite, stderr */
#include <stdlib.h>            /* exit, abort */
#include <string.h>            /* memcpy, strlen */
#include <unistd.h>            /* pause */
#include <lmdepth/base/text.h> /* lmd_text_make_printable */

enum { LINE_SIZE = 16384, HOST_SIZE = 256, WARNINGS_KEPT = 1024 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Guarded by `lock`. */
static struct {
    int rank;
    int ranks;
    char host[HOST_SIZE];
    bool is_quiet;
    void (*end)(int code);
    uint64_t
        said[WARNINGS_KEPT]; /* hashes of warnings, a ring: the oldest is forgotten */
    size_t n_said;
} speaker = {.ranks = 1};

static atomic_flag is_ending = ATOMIC_FLAG_INIT;

/* FNV-1a, 64 bits. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++) {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* Was this text said before? Remembers it. The lock is held. */
static bool is_repeated(const char *text)
{
    const uint64_t hash = hash_text(text);
    const size_t n_kept = speaker.n_said < WARNINGS_KEPT ? speaker.n_said : WARNINGS_KEPT;
    for (size_t i = 0; i < n_kept; i++) {
        if (speaker.said[i] == hash) {
            return true;
        }
    }
    speaker.said[speaker.n_said++ % WARNINGS_KEPT] = hash;
    return false;
}

/* Writes "[rank R on HOST] " on other ranks than the root, `kind`, the text and a line
 * feed. The lock is held. */
static void write_line(const char *kind, const char *text)
{
    char line[LINE_SIZE + HOST_SIZE + 128];
    int start = 0;
    if (speaker.ranks > 1 && speaker.rank != 0) {
        start =
            snprintf(line, sizeof line, "[rank %d on %s] ", speaker.rank, speaker.host);
    }
    const size_t head = start > 0 ? (size_t)start : 0;
    const int rest = snprintf(line + head, sizeof line - head, "%s%s\n", kind, text);
    (void)fwrite(line, 1, head + (rest > 0 ? (size_t)rest : 0), stderr);
    (void)fflush(stderr);
}

__attribute__((format(printf, 2, 0))) static void
make_text(char text[LINE_SIZE], const char *format, va_list arguments)
{
    const int wanted = vsnprintf(text, LINE_SIZE, format, arguments);
    if (wanted < 0) {
        text[0] = 0;
    } else if (wanted >= LINE_SIZE) {
        memcpy(text + LINE_SIZE - 4, "...", 4);
    }
    lmd_text_make_printable(text);
}

void lmd_log_identify(int rank, int ranks, const char *host)
{
    pthread_mutex_lock(&lock);
    speaker.rank = rank;
    speaker.ranks = ranks;
    (void)snprintf(speaker.host, sizeof speaker.host, "%s", host ? host : "");
    pthread_mutex_unlock(&lock);
}

void lmd_log_on_fatal(void (*end)(int code))
{
    pthread_mutex_lock(&lock);
    speaker.end = end;
    pthread_mutex_unlock(&lock);
}

void lmd_log_set_quiet(bool quiet)
{
    pthread_mutex_lock(&lock);
    speaker.is_quiet = quiet;
    pthread_mutex_unlock(&lock);
}

bool lmd_log_is_quiet(void)
{
    pthread_mutex_lock(&lock);
    const bool is_quiet = speaker.is_quiet;
    pthread_mutex_unlock(&lock);
    return is_quiet;
}

bool lmd_log_is_root(void)
{
    pthread_mutex_lock(&lock);
    const bool is_root = speaker.rank == 0;
    pthread_mutex_unlock(&lock);
    return is_root;
}

void lmd_log_say(const char *format, ...)
{
    char text[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    make_text(text, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&lock);
    if (speaker.rank == 0 && !speaker.is_quiet) {
        write_line("", text);
    }
    pthread_mutex_unlock(&lock);
}

void lmd_log_warn(const char *format, ...)
{
    char text[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    make_text(text, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&lock);
    if (!is_repeated(text)) {
        write_line("lmdepth: warning: ", text);
    }
    pthread_mutex_unlock(&lock);
}

__attribute__((format(printf, 1, 0))) static void say_error(const char *format,
                                                            va_list arguments)
{
    char text[LINE_SIZE];
    make_text(text, format, arguments);
    pthread_mutex_lock(&lock);
    write_line("lmdepth: error: ", text);
    pthread_mutex_unlock(&lock);
}

void lmd_log_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_error(format, arguments);
    va_end(arguments);
}

void lmd_log_fatal(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_error(format, arguments);
    va_end(arguments);
    // Threads often fail together, and exit() may be entered once only.
    while (atomic_flag_test_and_set(&is_ending)) {
        pause();
    }
    pthread_mutex_lock(&lock);
    void (*const end)(int) = speaker.end;
    pthread_mutex_unlock(&lock);
    if (end) {
        end(code);
        abort();
    }
    exit(code);
}
