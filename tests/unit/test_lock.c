/* Lock files: who holds one, who is gone, and that two never hold it together. */
#include <lmdepth/base/lock.h>

#include <fcntl.h>    /* open */
#include <setjmp.h>   /* cmocka.h */
#include <stdarg.h>   /* cmocka.h */
#include <stddef.h>   /* cmocka.h */
#include <stdint.h>   /* cmocka.h */
#include <stdio.h>    /* snprintf */
#include <stdlib.h>   /* mkdtemp, setenv */
#include <string.h>   /* strstr */
#include <sys/stat.h> /* futimens */
#include <sys/wait.h> /* waitpid */
#include <time.h>     /* time */
#include <unistd.h>   /* fork */
#include <cmocka.h>
#include <lmdepth/base/file.h>
#include <lmdepth/base/hash.h>
#include <lmdepth/base/memory.h>
#include <lmdepth/base/text.h>

enum { ROUNDS = 30, TAKERS = 20, LIVES = 8, GENERATIONS = 25 };

static char folder[] = "/tmp/lmdepth-lock-XXXXXX";
static char path[64];
static char host[128];

/* The lock of somebody: "host", process, start, job, seconds since the last beat. */
static void forge(const char *of_host, long long process, unsigned long long started,
                  const char *job, long long age)
{
    lmd_text text = {0};
    lmd_text_append_format(
        &text, "lmdepth lock 1\nhost %s\nprocess %lld %llu\njob %s\nbeat %020lld\n",
        of_host, process, started, job, (long long)time(NULL) - age);
    assert_int_equal(lmd_file_write(path, text.bytes, text.size), LMD_OK);
    lmd_text_clear(&text);
}

static void write_bytes(const char *bytes, size_t n_bytes)
{
    assert_int_equal(lmd_file_write(path, bytes, n_bytes), LMD_OK);
}

static void read_lock(lmd_text *text)
{
    text->size = 0;
    assert_int_equal(lmd_file_read_all(path, 4096, text), LMD_OK);
}

static void expect_refused(const char *part)
{
    lmd_lock *lock = NULL;
    assert_int_equal(lmd_lock_take(&lock, path), LMD_USAGE);
    assert_null(lock);
    if (!strstr(lmd_status_message(), part)) {
        fail_msg("'%s' is not in '%s'", part, lmd_status_message());
    }
    assert_true(lmd_file_exists(path));
}

static void expect_taken(void)
{
    lmd_lock *lock = NULL;
    const lmd_status status = lmd_lock_take(&lock, path);
    assert_string_equal(status == LMD_OK ? "" : lmd_status_message(), "");
    assert_false(lmd_lock_is_lost(lock));
    lmd_lock_release(lock);
    assert_false(lmd_file_exists(path));
}

/* When this process started, as it says in its own lock. */
static unsigned long long own_start(void)
{
    lmd_lock *lock = NULL;
    lmd_text text = {0};
    unsigned long long started = 0;
    assert_int_equal(lmd_lock_take(&lock, path), LMD_OK);
    read_lock(&text);
    assert_int_equal(
        sscanf(text.bytes, "lmdepth lock 1 host %127s process %*d %llu", host, &started),
        2);
    lmd_text_clear(&text);
    lmd_lock_release(lock);
    return started;
}

static void one_at_a_time(void **state)
{
    (void)state;
    lmd_lock *lock = NULL;
    assert_int_equal(lmd_lock_take(&lock, path), LMD_OK);
    expect_refused("in use by process");
    expect_refused(host);
    assert_false(lmd_lock_is_lost(lock));
    lmd_lock_release(lock);
    expect_taken();
    lmd_lock_release(NULL);
}

static void who_lives_on_this_host_holds_it(void **state)
{
    (void)state;
    const unsigned long long started = own_start();
    forge(host, (long long)getpid(), started, "-", 100000); // no sign of life is needed
    expect_refused("in use by process");
    forge(host, (long long)getpid(), started + 1, "-", 0); // its number, another process
    expect_taken();
    forge(host, -1, 1, "-", 0);
    expect_taken();
}

static void who_is_dead_on_this_host_does_not(void **state)
{
    (void)state;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        lmd_lock *lock = NULL;
        _exit((int)lmd_lock_take(&lock, path)); // and never gives it back
    }
    int code = -1;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    assert_true(lmd_file_exists(path));
    expect_taken();
}

/* A killed process stays in the table until its parent looks. */
static void a_zombie_holds_nothing(void **state)
{
    (void)state;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        lmd_lock *lock = NULL;
        _exit((int)lmd_lock_take(&lock, path));
    }
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_true(lmd_file_exists(path));
    expect_taken();
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void other_hosts_must_beat(void **state)
{
    (void)state;
    forge("elsewhere", 4711, 88123, "123", -1000); // its clock is ahead
    expect_refused("elsewhere, Slurm job 123");
    forge("elsewhere", 4711, 88123, "-", 1000);
    expect_taken();
    forge("elsewhere", (long long)getpid(), own_start(), "-", -1000);
    expect_refused("elsewhere");
    (void)unlink(path);
}

static void our_own_requeued_job_goes_on(void **state)
{
    (void)state;
    assert_int_equal(setenv("SLURM_JOB_ID", "77", 1), 0);
    forge("elsewhere", 1, 1, "78", -1000);
    expect_refused("Slurm job 78");
    forge("elsewhere", 1, 1, "77", -1000);
    expect_taken();
    assert_int_equal(unsetenv("SLURM_JOB_ID"), 0);
    forge("elsewhere", 1, 1, "-", -1000); // no job is not the same job
    expect_refused("elsewhere");
    (void)unlink(path);
}

/* What can't be understood counts by the time of the file. */
static void damaged_locks_count_as_they_are_old(void **state)
{
    (void)state;
    static char large[5000];
    static const char overflow[] = "lmdepth lock 1\nhost a\nprocess 1 1\njob -\n"
                                   "beat -9223372036854775808\n";
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    const struct {
        const char *bytes;
        size_t n_bytes;
    } cases[] = {{"", 0},
                 {"x", 1},
                 {"lmdepth lock 1\nhost a\n", 22},
                 {overflow, sizeof overflow - 1},
                 {large, sizeof large}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_bytes(cases[i].bytes, cases[i].n_bytes);
        expect_refused("an unknown host");
        assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
        expect_taken();
    }
}

static void a_lost_lock_is_noticed_and_left(void **state)
{
    (void)state;
    lmd_lock *lock = NULL;
    lmd_text text = {0};
    assert_int_equal(lmd_lock_take(&lock, path), LMD_OK);
    forge("elsewhere", 1, 1, "-", 0);
    assert_true(lmd_lock_is_lost(lock));
    lmd_lock_release(lock);
    read_lock(&text);
    assert_non_null(strstr(text.bytes, "host elsewhere"));
    lmd_text_clear(&text);

    forge("elsewhere", 1, 1, "-", 1000);
    assert_int_equal(lmd_lock_take(&lock, path), LMD_OK);
    assert_int_equal(unlink(path), 0);
    assert_true(lmd_lock_is_lost(lock));
    lmd_lock_release(lock);
}

/* The number of a removed file may be given to the next: it is its words that count. */
static void another_in_the_same_file_is_noticed(void **state)
{
    (void)state;
    lmd_lock *lock = NULL;
    assert_int_equal(lmd_lock_take(&lock, path), LMD_OK);
    const int file = open(path, O_WRONLY | O_TRUNC);
    static const char other[] = "lmdepth lock 1\nhost other\nprocess 1 1\njob -\n"
                                "beat 00000000000000000001\n";
    assert_int_equal(write(file, other, sizeof other - 1), sizeof other - 1);
    assert_int_equal(close(file), 0);
    assert_true(lmd_lock_is_lost(lock));
    lmd_lock_release(lock);
    assert_true(lmd_file_exists(path));
    expect_taken();
}

/* Nobody else may be inside: the file "inside" is made by one alone. Every life ends with
 * the lock in hand. */
static int take_and_die(const char *inside)
{
    lmd_lock *lock = NULL;
    for (int n_taken = 0; n_taken < LIVES;) {
        const struct timespec pause = {.tv_nsec = 200 * 1000};
        const lmd_status status = lmd_lock_take(&lock, path);
        if (status == LMD_USAGE) {
            (void)nanosleep(&pause, NULL);
            continue;
        }
        const int file = open(inside, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (status != LMD_OK || file < 0) {
            return 1;
        }
        (void)close(file);
        (void)unlink(inside);
        if (++n_taken < LIVES) {
            lmd_lock_release(lock);
        }
    }
    return 0;
}

static void start_taker(const char *inside)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(take_and_die(inside));
    }
}

/* Each that dies is followed by another, so that the dead are succeeded all the time. */
static void takers_never_meet(void **state)
{
    (void)state;
    enum { AT_ONCE = 6 };
    char *const inside = lmd_file_join(folder, "inside");
    for (int i = 0; i < GENERATIONS + AT_ONCE; i++) {
        if (i < GENERATIONS) {
            start_taker(inside);
        }
        if (i >= AT_ONCE) {
            int code = -1;
            assert_true(wait(&code) > 0);
            assert_int_equal(code, 0);
        }
    }
    expect_taken(); // from the last
    lmd_memory_free(inside);
}

/* A child: waits until `start` is closed, tries, says how it went, and keeps what it has
 * until `end` is closed. */
static void try_once(const int start[2], const int said[2], const int end[2])
{
    lmd_lock *lock = NULL;
    char byte = 0;
    (void)close(start[1]);
    (void)close(end[1]);
    bool is_well = read(start[0], &byte, 1) == 0;
    const lmd_status status = lmd_lock_take(&lock, path);
    byte = status == LMD_OK ? 'y' : status == LMD_USAGE ? 'n' : 'x';
    is_well = write(said[1], &byte, 1) == 1 && read(end[0], &byte, 1) == 0 && is_well;
    _exit(is_well ? 0 : 1);
}

/* How many of the takers, all at the same moment, have got the lock. */
static int count_winners(void)
{
    int start[2], said[2], end[2];
    int n_yes = 0;
    assert_true(pipe(start) == 0 && pipe(said) == 0 && pipe(end) == 0);
    for (int i = 0; i < TAKERS; i++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            try_once(start, said, end);
        }
    }
    (void)close(start[0]);
    (void)close(start[1]);
    for (int i = 0; i < TAKERS; i++) {
        char byte = 0;
        assert_int_equal(read(said[0], &byte, 1), 1);
        assert_true(byte == 'y' || byte == 'n');
        n_yes += byte == 'y';
    }
    (void)close(said[0]);
    (void)close(said[1]);
    (void)close(end[0]);
    (void)close(end[1]);
    for (int i = 0; i < TAKERS; i++) {
        int code = -1;
        assert_true(wait(&code) > 0);
        assert_int_equal(code, 0);
    }
    return n_yes;
}

static void one_takes_over_from_the_dead(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        const bool is_here = round % 2 == 0;
        forge(is_here ? host : "elsewhere", is_here ? -1 : 1, 1, "-", 1000);
        assert_int_equal(count_winners(), 1);
    }
    expect_taken();
}

/* The name under which somebody follows the lock that is there; and what it says. */
static char *name_successor(void)
{
    lmd_text text = {0};
    lmd_text name = {0};
    char hex[LMD_SHA256_HEX];
    read_lock(&text);
    lmd_sha256_of(text.bytes, text.size, hex);
    lmd_text_append_format(&name, "%s.after.%.16s", path, hex);
    lmd_text_clear(&text);
    return name.bytes;
}

/* Successors who were killed before they had put themselves in the dead one's place. */
static void dead_successors_are_succeeded(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        forge(host, -1, 3, "-", 0);
        char *const third = name_successor();
        assert_int_equal(rename(path, third), 0);
        forge(host, -1, 2, "-", 0);
        char *const second = name_successor();
        assert_int_equal(rename(path, second), 0);
        // the lock is the first's; the second follows it, and the third the second
        forge(host, -1, 1, "-", 0);
        char *const after_first = name_successor();
        assert_int_equal(rename(second, after_first), 0);
        forge(host, -1, 2, "-", 0);
        char *const after_second = name_successor();
        assert_int_equal(rename(third, after_second), 0);
        forge(host, -1, 1, "-", 0);
        if (round == 0) {
            expect_taken();
        } else {
            assert_int_equal(count_winners(), 1);
            expect_taken();
        }
        assert_false(lmd_file_exists(after_first));
        assert_false(lmd_file_exists(after_second));
        lmd_memory_free(third);
        lmd_memory_free(second);
        lmd_memory_free(after_first);
        lmd_memory_free(after_second);
    }
}

static void living_successors_hold_it(void **state)
{
    (void)state;
    const unsigned long long started = own_start();
    forge(host, (long long)getpid(), started, "-", 0);
    char *const kept = lmd_file_join(folder, "kept");
    assert_int_equal(rename(path, kept), 0);
    forge(host, -1, 1, "-", 0);
    char *const after = name_successor();
    assert_int_equal(rename(kept, after), 0);
    expect_refused("in use by process");
    assert_true(lmd_file_exists(after));
    assert_int_equal(unlink(after), 0);
    expect_taken();
    lmd_memory_free(after);
    lmd_memory_free(kept);
}

static bool is_there(const char *name)
{
    char *const file = lmd_file_join(folder, name);
    const bool is = lmd_file_exists(file);
    lmd_memory_free(file);
    return is;
}

static void put(const char *name, const char *bytes, bool is_old)
{
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    char *const file = lmd_file_join(folder, name);
    assert_int_equal(lmd_file_write(file, bytes, strlen(bytes)), LMD_OK);
    assert_int_equal(is_old ? utimensat(AT_FDCWD, file, old, 0) : 0, 0);
    lmd_memory_free(file);
}

/* Who takes the lock removes what killed takers have left, and nothing of others'. */
static void left_overs_go(void **state)
{
    (void)state;
    static const char gone[] = "lmdepth lock 1\nhost elsewhere\nprocess 5 1\njob -\n"
                               "beat 00000000000000000001\n";
    lmd_text alive = {0};
    lmd_text_append_format(&alive,
                           "lmdepth lock 1\nhost elsewhere\nprocess 5 1\njob -\n"
                           "beat %020lld\n",
                           (long long)time(NULL) + 1000);
    static const char *const ours[] = {"lock.n-1.example.org.5", "lock.elsewhere.7",
                                       "lock.after.0123456789abcdef",
                                       "lock.n1.5.tmp.n1.5", "lock.n1.6.tmp.n1.6"};
    static const char *const others[] = {"lock.n1.8", "lock.n2.8.tmp.n2.8", "lock.n3.9",
                                         "lock.txt",  "lock.after.summer",  "lock2.n1.5",
                                         "lock.5",    "clock.n1.5"};
    for (size_t i = 0; i < 4; i++) {
        put(ours[i], gone, false);
    }
    put(ours[4], "half of it", true);
    put(others[0], alive.bytes, false);
    put(others[1], "half of it", false); // it may be whole soon
    put(others[2], "half of it", true);  // is no name of half a lock
    for (size_t i = 3; i < sizeof others / sizeof others[0]; i++) {
        put(others[i], gone, true);
    }
    expect_taken();
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        assert_false(is_there(ours[i]));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_true(is_there(others[i]));
        char *const file = lmd_file_join(folder, others[i]);
        assert_int_equal(unlink(file), 0);
        lmd_memory_free(file);
    }
    lmd_text_clear(&alive);
}

static void where_it_can_not_be(void **state)
{
    (void)state;
    lmd_lock *lock = NULL;
    assert_int_equal(lmd_lock_take(&lock, "/nowhere/lock"), LMD_RESOURCE);
    char *const target = lmd_file_join(folder, "target");
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(lmd_lock_take(&lock, path), LMD_USAGE);
    assert_false(lmd_file_exists(target));
    assert_int_equal(unlink(path), 0);
    lmd_memory_free(target);
}

static int make_folder(void **state)
{
    (void)state;
    (void)unsetenv("SLURM_JOB_ID");
    if (!mkdtemp(folder)) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/lock", folder);
    (void)own_start(); // sets host
    return 0;
}

/* Nothing but what the test has put there is left, and no memory. */
static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder) == 0 && lmd_memory_live() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(who_lives_on_this_host_holds_it),
        cmocka_unit_test(who_is_dead_on_this_host_does_not),
        cmocka_unit_test(a_zombie_holds_nothing),
        cmocka_unit_test(other_hosts_must_beat),
        cmocka_unit_test(our_own_requeued_job_goes_on),
        cmocka_unit_test(damaged_locks_count_as_they_are_old),
        cmocka_unit_test(a_lost_lock_is_noticed_and_left),
        cmocka_unit_test(another_in_the_same_file_is_noticed),
        cmocka_unit_test(takers_never_meet),
        cmocka_unit_test(one_takes_over_from_the_dead),
        cmocka_unit_test(dead_successors_are_succeeded),
        cmocka_unit_test(living_successors_hold_it),
        cmocka_unit_test(left_overs_go),
        cmocka_unit_test(where_it_can_not_be),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
