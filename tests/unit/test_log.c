/* What is said, by whom, and how often. Each case runs in a child process of its own: the
 * log remembers what it said, and lmd_log_fatal ends the process. */
#include <lmdepth/base/log.h>

#include <setjmp.h>   /* cmocka.h */
#include <stdarg.h>   /* cmocka.h */
#include <stddef.h>   /* cmocka.h */
#include <stdint.h>   /* cmocka.h */
#include <stdio.h>    /* stderr */
#include <string.h>   /* memset */
#include <sys/wait.h> /* waitpid */
#include <unistd.h>   /* fork, pipe */
#include <cmocka.h>

enum { SAID_SIZE = 262144 };

static char said[SAID_SIZE];

/* Runs `act` in a child; what it wrote to standard error is in `said`. */
static int exit_code_of(void (*act)(void))
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        act();
        _exit(0);
    }
    (void)close(ends[1]);
    size_t size = 0;
    ssize_t got;
    while ((got = read(ends[0], said + size, SAID_SIZE - 1 - size)) > 0) {
        size += (size_t)got;
    }
    said[size] = 0;
    (void)close(ends[0]);
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    return WIFEXITED(result) ? WEXITSTATUS(result) : -1;
}

static void speak_as_root(void)
{
    lmd_log_identify(0, 3, "node1");
    lmd_log_say("plan %d", 1);
    lmd_log_warn("twice");
    lmd_log_warn("twice");
    lmd_log_warn("once %d", 2);
    lmd_log_error("bad");
    lmd_log_set_quiet(true);
    lmd_log_say("not heard");
    lmd_log_warn("still heard");
}

static void root_speaks_plainly(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(speak_as_root), 0);
    assert_string_equal(said, "plan 1\n"
                              "lmdepth: warning: twice\n"
                              "lmdepth: warning: once 2\n"
                              "lmdepth: error: bad\n"
                              "lmdepth: warning: still heard\n");
}

static void speak_as_other(void)
{
    lmd_log_identify(2, 3, "node1");
    lmd_log_say("not heard");
    lmd_log_warn("w");
    lmd_log_error("e");
    if (lmd_log_is_root()) {
        _exit(9);
    }
}

static void other_ranks_name_themselves(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(speak_as_other), 0);
    assert_string_equal(said, "[rank 2 on node1] lmdepth: warning: w\n"
                              "[rank 2 on node1] lmdepth: error: e\n");
}

static void warn_very_often(void)
{
    for (int i = 0; i < 3000; i++) {
        lmd_log_warn("%d", i);
    }
    lmd_log_warn("2999");
    lmd_log_warn("0");
}

/* The memory for what was said has an end: the oldest is forgotten. */
static void many_warnings_do_no_harm(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(warn_very_often), 0);
    size_t n_lines = 0;
    for (const char *at = said; (at = strchr(at, '\n')) != NULL; at++) {
        n_lines++;
    }
    assert_int_equal(n_lines, 3001);
}

static void say_a_long_text(void)
{
    static char text[40000];
    memset(text, 'y', sizeof text - 1);
    lmd_log_say("%s", text);
}

static void long_text_is_cut(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(say_a_long_text), 0);
    assert_in_range(strlen(said), 16000, 17000);
    assert_string_equal(said + strlen(said) - 5, "y...\n");
}

static void say_what_a_stranger_wrote(void)
{
    lmd_log_error("tensor '%s'", "\x1b]0;title\x07\xc2\x9b"
                                 "1m");
}

static void terminals_are_not_commanded(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(say_what_a_stranger_wrote), 0);
    assert_string_equal(said, "lmdepth: error: tensor '?]0;title???1m'\n");
}

static void die(void)
{
    lmd_log_fatal(4, "no more %s", "disk");
}

static void end_with_more(int code)
{
    _exit(code + 1);
}

static void die_elsewhere(void)
{
    lmd_log_on_fatal(end_with_more);
    lmd_log_fatal(4, "no more");
}

static void fatal_ends_with_its_code(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(die), 4);
    assert_string_equal(said, "lmdepth: error: no more disk\n");
    assert_int_equal(exit_code_of(die_elsewhere), 5);
    assert_string_equal(said, "lmdepth: error: no more\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_speaks_plainly),
        cmocka_unit_test(other_ranks_name_themselves),
        cmocka_unit_test(many_warnings_do_no_harm),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(terminals_are_not_commanded),
        cmocka_unit_test(fatal_ends_with_its_code),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
