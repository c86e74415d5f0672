/* What must happen before the libraries' own initialisers run, for it is these that fail.
 *
 * OpenBLAS starts a thread for every processor when it is loaded, which nobody uses: our
 * own team calls it. 64 ranks on 128 processors would have 8,000 of them, and users'
 * processes are limited. With a limited address space (ulimit -v) they end the program
 * when their stacks do not fit, or try for ever to get 128 MiB each, and the first fork,
 * which MPI does, waits for them; and glibc keeps 64 MiB for every thread that allocates.
 * Both are told by environment variables only, so the program starts anew with them. The
 * linker calls the functions of .preinit_array first of all; libc is not yet initialised
 * there, so that only system calls are made and nothing is allocated. */

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MOST_VARIABLES = 8192 };

static const char one_thread[] = "OPENBLAS_NUM_THREADS=1";
static const char one_arena[] = "MALLOC_ARENA_MAX=1";

/* Is it this variable, whatever its value? */
__attribute__((no_sanitize("address"))) static bool is_of(const char *variable,
                                                          const char *setting)
{
    const char *c = variable;
    while (*c == *setting && *c != '=' && *c != '\0') {
        c++;
        setting++;
    }
    return *c == '=' && *setting == '=';
}

__attribute__((no_sanitize("address"))) static bool has_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

__attribute__((no_sanitize("address"))) static void save_space(int argc, char **argv,
                                                               char **variables)
{
    static char *anew[MOST_VARIABLES + 3];
    const bool is_limited = has_limit();
    size_t n = 0;
    (void)argc;
    for (char **v = variables; *v != NULL; v++) {
        const bool is_threads = is_of(*v, one_thread);
        const bool is_one = is_threads && (*v)[sizeof one_thread - 2] == '1' &&
                            (*v)[sizeof one_thread - 1] == '\0';
        // Done already, or the user's own number, which does no harm without a limit.
        if (is_one || (is_threads && !is_limited) || n == MOST_VARIABLES) {
            return;
        }
        if (!is_threads && !(is_limited && is_of(*v, one_arena))) {
            anew[n++] = *v;
        }
    }
    anew[n++] = (char *)(size_t)one_thread;
    if (is_limited) {
        anew[n++] = (char *)(size_t)one_arena;
    }
    anew[n] = NULL;
    (void)execve("/proc/self/exe", argv, anew); // if it can't be, all works as it is
}

typedef void initialiser(int argc, char **argv, char **variables);

__attribute__((section(".preinit_array"), used)) static initialiser *const first =
    save_space;
