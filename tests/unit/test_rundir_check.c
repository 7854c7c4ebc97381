/*
 * Unit tests for whose runtime directory and whose socket it is
 * (common/rundir_check.h, common/peer.h), also in the clients' libraries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ringside/client.h"
#include "peer.h"
#include "rundir_check.h"
#include "socket_name.h"
#include "xs_pipeline.h"

#define OTHER 12345u /* a user that we are not */

static char dir[64], sub[96], why[512];

static int setup(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(dir, sizeof(dir), "%.40s/rundir-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir))
        return -1;
    snprintf(sub, sizeof(sub), "%s/host", dir);
    return mkdir(sub, 0700);
}

static int teardown(void **state)
{
    (void)state;
    chmod(dir, 0700);
    unlink(sub);
    rmdir(sub);
    return rmdir(dir);
}

static int check_as(const char *path, uid_t self)
{
    why[0] = '\0';
    return rundir_check(path, self, why, sizeof(why));
}

#define EXPECT_REFUSED(path, self, words)                   \
    do {                                                    \
        assert_int_equal(check_as((path), (self)), -EPERM); \
        assert_non_null(strstr(why, (words)));              \
        assert_non_null(strstr(why, (path)));               \
    } while (0)

static void test_ours(void **state)
{
    (void)state;
    assert_int_equal(check_as(sub, geteuid()), 0);
    rmdir(sub);
    assert_int_equal(check_as(sub, geteuid()), -ENOENT);
}

static void test_owners(void **state)
{
    (void)state;
    assert_true(user_is_trusted(7, 7));
    assert_true(user_is_trusted(0, 7));
    assert_false(user_is_trusted(7, 8));
    assert_false(user_is_trusted(7, 0));
    if (geteuid() != 0) { /* what is ours is not another user's */
        EXPECT_REFUSED(sub, geteuid() + 1, "belongs to user");
        EXPECT_REFUSED(sub, 0, "run this as that user");
        return;
    }
    assert_int_equal(check_as(sub, OTHER), 0); /* root's */
    assert_int_equal(chown(sub, OTHER, OTHER), 0);
    assert_int_equal(check_as(sub, OTHER), 0);
    EXPECT_REFUSED(sub, OTHER + 1, "belongs to user 12345");
    EXPECT_REFUSED(sub, 0, "run this as that user");
}

static void test_modes(void **state)
{
    static const mode_t bad[] = { 0720, 0702, 0777, 01777, 0770 };
    static const mode_t good[] = { 0700, 0755, 0750, 0711, 02755 };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(chmod(sub, bad[i]), 0);
        EXPECT_REFUSED(sub, geteuid(), "can be written by other users");
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(chmod(sub, good[i]), 0);
        assert_int_equal(check_as(sub, geteuid()), 0);
    }
}

/* Whoever can write the directory above can put another one there. */
static void test_parent(void **state)
{
    (void)state;
    assert_int_equal(chmod(dir, 0777), 0);
    EXPECT_REFUSED(sub, geteuid(), "everybody can write");
    assert_int_equal(chmod(dir, 01777), 0);
    assert_int_equal(check_as(sub, geteuid()), 0);
    if (geteuid() != 0)
        return;
    assert_int_equal(chown(dir, OTHER, OTHER), 0);
    EXPECT_REFUSED(sub, 0, "of user 12345, who can replace it");
    EXPECT_REFUSED(sub, OTHER + 1, "of user 12345, who can replace it");
    assert_int_equal(chown(dir, 0, 0), 0);
}

static void test_no_directory(void **state)
{
    FILE *f;

    (void)state;
    rmdir(sub);
    assert_int_equal(symlink("/", sub), 0);
    EXPECT_REFUSED(sub, geteuid(), "is a symbolic link");
    unlink(sub);
    assert_int_equal(symlink("nowhere", sub), 0);
    EXPECT_REFUSED(sub, geteuid(), "is a symbolic link");
    unlink(sub);
    f = fopen(sub, "w");
    fclose(f);
    EXPECT_REFUSED(sub, geteuid(), "is not a directory");
}

static void test_default(void **state)
{
    char path[80], small[8];

    (void)state;
    setenv("RINGSIDE_RUNDIR", "/x/y", 1);
    assert_true(rundir_default(path, sizeof(path)));
    assert_string_equal(path, "/x/y");
    assert_true(rundir_default(small, sizeof(small)));
    setenv("RINGSIDE_RUNDIR", "/a/longer/name", 1);
    assert_false(rundir_default(small, sizeof(small)));
    setenv("RINGSIDE_RUNDIR", "", 1);
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    assert_true(rundir_default(path, sizeof(path)));
    assert_string_equal(path,
                        geteuid() ? "/run/user/7/ringside" : "/run/ringside");
    setenv("XDG_RUNTIME_DIR", "relative", 1);
    assert_true(rundir_default(path, sizeof(path)));
    assert_memory_equal(path, geteuid() ? "/tmp/ringside-" : "/run/ringside",
                        13);
    unsetenv("RINGSIDE_RUNDIR");
    unsetenv("XDG_RUNTIME_DIR");
}

/* ---- sockets ---- */

static int open_files(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* A socket whose name has `len` bytes, in directories below sub. */
static void long_name(size_t len)
{
    char path[600], *slash;
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    int client = socket(AF_UNIX, SOCK_STREAM, 0), files = open_files();
    size_t n = (size_t)snprintf(path, sizeof(path), "%s/", sub);

    memset(path + n, 'd', len - n);
    path[len] = '\0';
    for (size_t i = n + 50; i < len - 8; i += 51) {
        path[i] = '\0';
        assert_int_equal(mkdir(path, 0700), 0);
        path[i] = '/';
    }
    assert_int_equal(socket_name_connect(client, path), -ENOENT);
    assert_int_equal(socket_name_bind(server, path), 0);
    assert_int_equal(listen(server, 1), 0);
    assert_int_equal(socket_name_connect(client, path), 0);
    assert_int_equal(open_files(), files);
    close(client);
    close(server);
    unlink(path);
    while ((slash = strrchr(path, '/')) > path + n) {
        *slash = '\0';
        assert_int_equal(rmdir(path), 0);
    }
}

static void test_long_names(void **state)
{
    char path[400];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), files = open_files();
    size_t n = (size_t)snprintf(path, sizeof(path), "%s/", sub);

    (void)state;
    long_name(106);
    long_name(107);
    long_name(108);
    long_name(500);
    memset(path + n, 'x', sizeof(path) - n - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(socket_name_bind(fd, path), -ENAMETOOLONG);
    assert_int_equal(socket_name_connect(fd, path), -ENAMETOOLONG);
    memset(path, 'x', sizeof(path) - 1); /* no directory at all */
    assert_int_equal(socket_name_connect(fd, path), -ENAMETOOLONG);
    assert_int_equal(open_files(), files);
    close(fd);
}

/* Another user's server: ends with 0 if it was not told a thing. */
static _Noreturn void serve(const char *path, int type, int ready)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    char byte;
    int fd, c;

    strcpy(a.sun_path, path);
    if (setresgid(OTHER, OTHER, OTHER) || setresuid(OTHER, OTHER, OTHER))
        _exit(2);
    fd = socket(AF_UNIX, type, 0);
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 8) ||
        write(ready, "", 1) != 1)
        _exit(3);
    c = accept(fd, NULL, NULL);
    _exit(c < 0 || recv(c, &byte, 1, 0) > 0);
}

static pid_t start_server(const char *path, int type)
{
    int ready[2];
    pid_t pid;
    char byte;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0)
        serve(path, type, ready[1]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void end_server(pid_t pid, const char *path)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    unlink(path);
}

static void test_strangers_socket(void **state)
{
    struct xs_pipeline *p;
    struct rs_client *client;
    char path[108];
    pid_t pid;

    (void)state;
    if (geteuid() != 0)
        skip(); /* nobody else can be played */
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(chmod(sub, 0777), 0);
    snprintf(path, sizeof(path), "%s/socket", sub);

    pid = start_server(path, SOCK_SEQPACKET);
    assert_int_equal(rs_client_connect(path, &client), -EPERM);
    end_server(pid, path);

    pid = start_server(path, SOCK_STREAM);
    setenv("XENSTORED_PATH", path, 1);
    assert_int_equal(xs_pipeline_open(&p), -EPERM);
    assert_null(p);
    unsetenv("XENSTORED_PATH");
    end_server(pid, path);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ours),       TEST(test_owners),           TEST(test_modes),
        TEST(test_parent),     TEST(test_no_directory),     TEST(test_default),
        TEST(test_long_names), TEST(test_strangers_socket),
    };

    return cmocka_run_group_tests_name("rundir_check", tests, NULL, NULL);
}
