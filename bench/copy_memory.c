/* What a crowded node does to others: one process on each of some cores copies 256 MB
 * from place to place until it is told to end, so that neither caches nor memory are
 * anyone's own. The lens kernel is then timed beside it.
 *
 *     build/bench/copy_memory 0 1 & lmdepth bench --shape smollm2-135m; kill $!
 *
 * At the end a line for each core on standard output: the bytes read and written. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lmdepth/base/memory.h>
#include <lmdepth/base/team.h>

enum { BYTES = 256 << 20 };

static volatile sig_atomic_t is_over;

static void end(int signal_number)
{
    (void)signal_number;
    is_over = 1;
}

static int stream(int core)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((size_t)core, &cores);
    if (sched_setaffinity(0, sizeof cores, &cores) != 0) {
        perror("copy_memory: sched_setaffinity");
        return 1;
    }
    (void)signal(SIGTERM, end);
    (void)signal(SIGINT, end);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    char *from = lmd_memory_new_aligned(BYTES, 1), *to = lmd_memory_new_aligned(BYTES, 1);
    memset(from, 1, BYTES);
    double bytes = 0.0;
    const double start = lmd_team_clock();
    while (!is_over) {
        memcpy(to, from, BYTES);
        bytes += 2.0 * BYTES;
        from[(size_t)bytes % BYTES] = to[1]; // lest the copies be left out
    }
    printf("core %d: %.1f GB/s\n", core, 1e-9 * bytes / (lmd_team_clock() - start));
    lmd_memory_free(from);
    lmd_memory_free(to);
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (fork() == 0) {
            return stream(atoi(argv[i]));
        }
    }
    while (wait(NULL) > 0) { // or until it is told to end, and with it the others
    }
    return 0;
}
