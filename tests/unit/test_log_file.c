/* Unit tests for log files of bounded size (common/log_file.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <signal.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "log_file.h"

#define LIMIT 100

static char dir[64], path[96], old[128];

static int setup(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(dir, sizeof(dir), "%.40s/log_file-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/log", dir);
    snprintf(old, sizeof(old), "%s.1", path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    rmdir(old);
    unlink(old);
    return rmdir(dir);
}

static char *content(const char *file)
{
    static char text[4096];
    int fd = open(file, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n < 0 ? NULL : text;
}

/* 0: there is none. */
static long size_of(const char *file)
{
    struct stat st;

    return stat(file, &st) ? 0 : (long)st.st_size;
}

static struct log_file *open_log(unsigned int flags)
{
    struct log_file *log;

    assert_int_equal(log_file_open(path, 0600, LIMIT, flags, &log), 0);
    return log;
}

static void put(struct log_file *log, const char *line)
{
    log_file_write(log, line, strlen(line));
}

/* However much is written, two files of the limit are all. */
static void test_bounded(void **state)
{
    struct log_file *log = open_log(0);
    char line[32];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof(line), "line %d\n", i);
        put(log, line);
        assert_in_range(size_of(path), 1, LIMIT);
        assert_in_range(size_of(old), 0, LIMIT);
    }
    assert_non_null(strstr(content(path), "line 999\n"));
    assert_non_null(strstr(content(old), "line"));
    assert_string_equal(log_file_path(log), path);
    log_file_close(log);
}

/* Also if it comes at once, or was there before. */
static void test_much_at_once(void **state)
{
    char much[1234];
    struct log_file *log;
    FILE *f = fopen(path, "w");

    (void)state;
    memset(much, 'x', sizeof(much));
    assert_int_equal(fwrite(much, 1, sizeof(much), f), sizeof(much));
    fclose(f);
    log = open_log(0);
    put(log, "new\n");
    assert_string_equal(content(path), "new\n");
    log_file_write(log, much, sizeof(much));
    assert_in_range(size_of(path), 1, LIMIT);
    assert_in_range(size_of(old), 1, LIMIT);
    log_file_close(log);
}

static void test_tells_what_went(void **state)
{
    struct log_file *log = open_log(LOG_FILE_TELLS);
    char line[81];

    (void)state;
    memset(line, 'x', 79);
    strcpy(line + 79, "\n");
    put(log, line);
    put(log, line); /* nothing is lost yet: it is in the old file */
    assert_string_equal(content(path), line);
    put(log, "next\n");
    put(log, line);
    assert_string_equal(strchr(content(path), '('),
                        content(path)); /* begins with the note */
    assert_non_null(
        strstr(content(path), "(80 bytes of older lines were removed)\n"));
    log_file_close(log);
}

/* What cannot be written is counted, and told when it can be again. */
static void test_lost(void **state)
{
    struct rlimit r, none;
    struct log_file *log;
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0) {
        signal(SIGXFSZ, SIG_IGN);
        log = open_log(0);
        put(log, "a\n");
        getrlimit(RLIMIT_FSIZE, &r);
        none = (struct rlimit){ 2, r.rlim_max };
        setrlimit(RLIMIT_FSIZE, &none);
        put(log, "lost\n");
        put(log, "lost, too\n");
        setrlimit(RLIMIT_FSIZE, &r);
        put(log, "b\n");
        _exit(0);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_string_equal(content(path),
                        "a\n(15 bytes of this log were lost)\nb\n");
}

/* Standard output and error go to the file that is the log now. */
static void test_bound(void **state)
{
    struct log_file *log;
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0) {
        log = open_log(0);
        if (log_file_bind(log))
            _exit(1);
        for (int i = 0; i < 99; i++) {
            dprintf(STDERR_FILENO, "by others %d\n", i);
            dprintf(STDOUT_FILENO, "as well\n");
            put(log, "line\n");
        }
        _exit(0);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_in_range(size_of(path), 1, LIMIT + 20);
    assert_in_range(size_of(old), 1, LIMIT + 20);
    assert_non_null(strstr(content(path), "line\n"));
}

/* A parent made the file our standard error: the same without asking. */
static void test_handed_over(void **state)
{
    struct log_file *log;
    pid_t pid = fork();
    int status, fd;

    (void)state;
    if (pid == 0) {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        close(fd);
        log = open_log(0);
        for (int i = 0; i < 99; i++) {
            dprintf(STDERR_FILENO, "by others %d\n", i);
            put(log, "line\n");
        }
        dprintf(STDOUT_FILENO, "end\n");
        _exit(0);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_in_range(size_of(path), 1, LIMIT + 20);
    assert_in_range(size_of(old), 1, LIMIT + 20);
    assert_non_null(strstr(content(path), "end\n"));
}

/* Somebody else moves the file: his copy stays, and we go on by name. */
static void test_moved(void **state)
{
    struct log_file *log = open_log(0);
    char away[128];

    (void)state;
    snprintf(away, sizeof(away), "%s.away", path);
    put(log, "one\n");
    assert_int_equal(rename(path, away), 0);
    put(log, "two\n");
    assert_int_equal(log_file_reopen(log), 0);
    put(log, "three\n");
    assert_string_equal(content(away), "one\ntwo\n");
    assert_string_equal(content(path), "three\n");
    /* And when it is full, what has the name is not taken for it. */
    unlink(path);
    assert_int_equal(rename(away, path), 0);
    for (int i = 0; i < 30; i++)
        put(log, "fill\n");
    assert_int_equal(size_of(old), 0);
    assert_non_null(strstr(content(path), "one\n"));
    log_file_close(log);
}

/* Where it cannot be moved it is emptied rather than grow. */
static void test_cannot_move(void **state)
{
    struct log_file *log = open_log(LOG_FILE_TELLS);

    (void)state;
    assert_int_equal(mkdir(old, 0700), 0);
    for (int i = 0; i < 100; i++)
        put(log, "0123456789\n");
    assert_in_range(size_of(path), 1, LIMIT);
    assert_non_null(strstr(content(path), "bytes of older lines"));
    log_file_close(log);
}

static void test_no_file(void **state)
{
    struct log_file *log;

    (void)state;
    assert_int_equal(
        log_file_open("/no/such/directory/log", 0600, LIMIT, 0, &log), -ENOENT);
    assert_null(log);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(log_file_open(path, 0600, LIMIT, 0, &log), -ENXIO);
    assert_int_equal(log_file_open("/dev/null", 0600, LIMIT, 0, &log), 0);
    for (int i = 0; i < 100; i++)
        put(log, "0123456789\n");
    log_file_close(log);
    log_file_close(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bounded), TEST(test_much_at_once), TEST(test_tells_what_went),
        TEST(test_lost),    TEST(test_bound),        TEST(test_handed_over),
        TEST(test_moved),   TEST(test_cannot_move),  TEST(test_no_file),
    };

    return cmocka_run_group_tests_name("log_file", tests, NULL, NULL);
}
