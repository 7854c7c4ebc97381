/*
 * The tar index: archives that tar writes, in each of its formats, and
 * archives that only an enemy would write.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest-kernel/fs/tar_index.h"

struct archive {
    char *data;
    size_t len, room;
};

static int archive_read(void *ctx, uint64_t offset, void *buf, size_t len)
{
    const struct archive *a = ctx;

    assert_int_equal(offset % TAR_BLOCK, 0);
    assert_int_equal(len % TAR_BLOCK, 0);
    assert_true(offset <= a->len && len <= a->len - offset);
    memcpy(buf, a->data + offset, len);
    return 0;
}

static void archive_add(struct archive *a, const void *p, size_t n)
{
    size_t padded = (n + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;

    if (a->len + padded > a->room) {
        a->room = (a->len + padded) * 2;
        a->data = realloc(a->data, a->room);
        assert_non_null(a->data);
    }
    memset(a->data + a->len, 0, padded);
    if (n)
        memcpy(a->data + a->len, p, n);
    a->len += padded;
}

static void header_sum(struct tar_header *h)
{
    unsigned int sum = 0;

    memset(h->checksum, ' ', sizeof(h->checksum));
    for (size_t i = 0; i < sizeof(*h); i++)
        sum += ((unsigned char *)h)[i];
    snprintf(h->checksum, sizeof(h->checksum), "%06o", sum);
}

static struct tar_header header(const char *name, char type, size_t size)
{
    struct tar_header h = { .type = type };

    memcpy(h.name, name, strlen(name));
    strcpy(h.mode, "0000644");
    snprintf(h.size, sizeof(h.size), "%011o", (unsigned int)size);
    strcpy(h.mtime, "00000000017");
    memcpy(h.magic, "ustar", 6);
    memcpy(h.version, "00", 2);
    header_sum(&h);
    return h;
}

static void add(struct archive *a, const char *name, char type,
                const char *data)
{
    struct tar_header h = header(name, type, strlen(data));

    archive_add(a, &h, sizeof(h));
    archive_add(a, data, strlen(data));
}

static void add_link(struct archive *a, const char *name, char type,
                     const char *target)
{
    struct tar_header h = header(name, type, 0);

    memcpy(h.link, target, strlen(target));
    header_sum(&h);
    archive_add(a, &h, sizeof(h));
}

static int open_archive(struct archive *a, struct tar **t, char why[120])
{
    why[0] = '\0';
    return tar_open(archive_read, a, a->len, t, why, 120);
}

static void refused(struct archive *a, int want, const char *word)
{
    struct tar *t = NULL;
    char why[120];

    assert_int_equal(open_archive(a, &t, why), want);
    assert_null(t);
    assert_non_null(strstr(why, word));
    free(a->data);
    memset(a, 0, sizeof(*a));
}

static struct tar *accepted(struct archive *a)
{
    struct tar *t = NULL;
    char why[120];
    int err = open_archive(a, &t, why);

    if (err)
        print_error("%s\n", why);
    assert_int_equal(err, 0);
    return t;
}

static const struct tar_member *find(const struct tar *t, const char *path)
{
    const struct tar_member *m = NULL;

    assert_int_equal(tar_lookup(t, path, 1, &m), 0);
    return m;
}

static void contains(const struct archive *a, const struct tar *t,
                     const char *path, const char *data)
{
    const struct tar_member *m = find(t, path);

    assert_int_equal(m->type, TAR_FILE);
    assert_int_equal(m->size, strlen(data));
    assert_memory_equal(a->data + m->offset, data, m->size);
}

/* What tar itself writes, read back: names, sizes, bytes. */
static void real_archive(const char *format)
{
    static const char script[] =
        "cd \"$1\" && mkdir -p src/dir/empty src/deep && cd src && "
        "printf hello >a && printf '' >dir/none && "
        "head -c 70000 /dev/zero >dir/big && ln -s ../a dir/up && "
        "ln a hard && n=$(printf 'n%%.0s' $(seq 90)) && "
        "if [ \"$2\" != v7 ]; then mkdir -p deep/$n && "
        "printf long >deep/$n/$n; fi && cd .. && "
        "if [ \"$2\" = gnu -o \"$2\" = pax ]; then "
        "mkdir -p src/wide/$n/$n/$n && printf longest >src/wide/$n/$n/$n/x; "
        "ln -s /wide/$n/$n/$n/x src/far; fi && "
        "tar --format=\"$2\" -C src -cf out.tar .";
    char dir[] = "/tmp/test_tar.XXXXXX", cmd[sizeof(script) + 100];
    char path[64], n[91], name[1024];
    struct archive a = { 0 };
    struct tar *t;
    FILE *f;
    int rc;

    assert_non_null(mkdtemp(dir));
    snprintf(cmd, sizeof(cmd), "set -- %s %s; ", dir, format);
    snprintf(cmd + strlen(cmd), sizeof(cmd) - strlen(cmd), script);
    rc = system(cmd);
    assert_int_equal(rc, 0);
    snprintf(path, sizeof(path), "%s/out.tar", dir);
    f = fopen(path, "rb");
    assert_non_null(f);
    a.data = malloc(1 << 20);
    a.len = fread(a.data, 1, 1 << 20, f);
    fclose(f);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    rc = system(cmd);
    assert_int_equal(rc, 0);

    t = accepted(&a);
    contains(&a, t, "/a", "hello");
    contains(&a, t, "hard", "hello");
    contains(&a, t, "dir/none", "");
    contains(&a, t, "dir/up", "hello");
    contains(&a, t, "/dir/../dir//./up", "hello");
    assert_int_equal(find(t, "dir/big")->size, 70000);
    assert_int_equal(find(t, "dir/empty/")->type, TAR_DIRECTORY);
    assert_int_equal(find(t, "")->type, TAR_DIRECTORY);
    assert_true(find(t, "a")->mtime > 1000000000);
    memset(n, 'n', 90);
    n[90] = '\0';
    snprintf(name, sizeof(name), "deep/%s/%s", n, n);
    if (strcmp(format, "v7") != 0 && strcmp(format, "ustar") != 0) {
        assert_int_equal(find(t, "far")->size, 7);
        snprintf(name, sizeof(name), "wide/%s/%s/%s/x", n, n, n);
        contains(&a, t, name, "longest");
    } else if (strcmp(format, "ustar") == 0) {
        contains(&a, t, name, "long");
    }
    tar_close(t);
    free(a.data);
}

static void test_real_gnu(void **state)
{
    (void)state;
    real_archive("gnu");
}

static void test_real_pax(void **state)
{
    (void)state;
    real_archive("pax");
}

static void test_real_ustar(void **state)
{
    (void)state;
    real_archive("ustar");
}

static void test_real_v7(void **state)
{
    (void)state;
    real_archive("v7");
}

static void test_directories(void **state)
{
    static const char *const names[] = { "a", "a!", "b", "c" };
    struct archive a = { 0 };
    const struct tar_member *m = NULL, *dir;
    struct tar *t;
    int i = 0;

    (void)state;
    add(&a, "./b/y", '0', "y");
    add(&a, "a!", '0', "1");
    add(&a, "c", '0', "old");
    add(&a, "a/z/deep", '0', "2");
    add(&a, "b/x", '0', "x");
    add(&a, "c", '0', "new one");
    t = accepted(&a);
    assert_int_equal(tar_count(t), 9); /* root a a/z a/z/deep a! b b/x b/y c */
    while ((m = tar_next(t, find(t, "/"), m)))
        assert_string_equal(m->path, names[i++]);
    assert_int_equal(i, 4);
    dir = find(t, "b");
    m = tar_next(t, dir, NULL);
    assert_string_equal(m->path, "b/x");
    m = tar_next(t, dir, m);
    assert_string_equal(m->path, "b/y");
    assert_null(tar_next(t, dir, m));
    assert_null(tar_next(t, find(t, "a/z"), find(t, "a/z/deep")));
    contains(&a, t, "c", "new one");
    tar_close(t);
    free(a.data);
}

static void test_lookup_errors(void **state)
{
    char longest[TAR_PATH_MAX + 10];
    const struct tar_member *m = NULL;
    struct archive a = { 0 };
    struct tar *t;

    (void)state;
    add(&a, "f", '0', "data");
    add(&a, "d/", '5', "");
    add_link(&a, "loop", '2', "loop");
    add_link(&a, "d/one", '2', "../d/two");
    add_link(&a, "d/two", '2', "/d/one");
    add_link(&a, "d/three", '2', "../d");
    add_link(&a, "gone", '2', "nowhere");
    t = accepted(&a);
    assert_int_equal(tar_lookup(t, "nope", 1, &m), -ENOENT);
    assert_int_equal(tar_lookup(t, "f/x", 1, &m), -ENOTDIR);
    assert_int_equal(tar_lookup(t, "f/", 1, &m), -ENOTDIR);
    assert_int_equal(tar_lookup(t, "loop", 1, &m), -ELOOP);
    assert_int_equal(tar_lookup(t, "d/one", 1, &m), -ELOOP);
    assert_int_equal(tar_lookup(t, "gone", 1, &m), -ENOENT);
    assert_int_equal(tar_lookup(t, "gone", 0, &m), 0);
    assert_int_equal(m->type, TAR_SYMLINK);
    assert_string_equal(m->target, "nowhere");
    assert_int_equal(tar_lookup(t, "d/three/three/../f", 1, &m), 0);
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(tar_lookup(t, longest, 1, &m), -ENAMETOOLONG);
    tar_close(t);
    free(a.data);
}

static void test_names_that_leave(void **state)
{
    struct archive a = { 0 };

    (void)state;
    add(&a, "ok/../../etc", '0', "x");
    refused(&a, -EINVAL, "leaves");
    add(&a, "f", '0', "x");
    add_link(&a, "l", '1', "../f");
    refused(&a, -EINVAL, "leaves");
    add_link(&a, "l", '1', "missing");
    refused(&a, -EINVAL, "hard link");
    add_link(&a, "l", '1', "m");
    add_link(&a, "m", '1', "l");
    refused(&a, -EINVAL, "hard link");
    add(&a, "d/", '5', "");
    add_link(&a, "l", '1', "d");
    refused(&a, -EINVAL, "hard link");
    add(&a, "f", '0', "x");
    add(&a, "f/g", '0', "x");
    refused(&a, -EINVAL, "also a directory");
    add(&a, "./", '0', "");
    add_link(&a, "/", '2', "x");
    refused(&a, -EINVAL, "without a name");
}

static void test_broken_headers(void **state)
{
    struct archive a = { 0 };
    struct tar_header h;

    (void)state;
    archive_add(&a, "this is no tar", 14);
    refused(&a, -EINVAL, "not a tar archive");
    a.data = malloc(1);
    refused(&a, -EINVAL, "not a tar archive");

    add(&a, "f", '0', "x");
    add(&a, "g", '0', "x");
    a.data[2 * TAR_BLOCK] = 'G';
    refused(&a, -EINVAL, "broken header");

    add(&a, "f", '0', "x");
    a.len -= TAR_BLOCK;
    refused(&a, -EINVAL, "cuts short");

    h = header("f", '0', 1);
    memcpy(h.size, "0000000009z", 12);
    header_sum(&h);
    archive_add(&a, &h, sizeof(h));
    refused(&a, -EINVAL, "broken size");

    h = header("f", '0', 1);
    memset(h.size, 0xff, sizeof(h.size)); /* base-256: -1 */
    header_sum(&h);
    archive_add(&a, &h, sizeof(h));
    refused(&a, -EINVAL, "broken size");

    h = header("f", '0', 1);
    memset(h.size, 0, sizeof(h.size)); /* base-256: nearly 2^64 */
    h.size[0] = (char)0x80;
    memset(h.size + 4, 0xff, 8);
    header_sum(&h);
    archive_add(&a, &h, sizeof(h));
    refused(&a, -EINVAL, "cuts short");

    add(&a, "f", 'S', "x");
    refused(&a, -EINVAL, "sparse");
}

static void test_base256_size(void **state)
{
    struct archive a = { 0 };
    struct tar_header h = header("f", '0', 0);
    struct tar *t;

    (void)state;
    memset(h.size, 0, sizeof(h.size));
    h.size[0] = (char)0x80;
    h.size[11] = 3;
    header_sum(&h);
    archive_add(&a, &h, sizeof(h));
    archive_add(&a, "abc", 3);
    t = accepted(&a);
    contains(&a, t, "f", "abc");
    tar_close(t);
    free(a.data);
}

static void test_pax(void **state)
{
    struct archive a = { 0 };
    struct tar_header h;
    struct tar *t;

    (void)state;
    add(&a, "pax_global", 'g', "20 comment=whatever\n");
    add(&a, "pax", 'x', "15 path=x/long\n20 mtime=1234567.89\n9 size=3\n");
    h = header("short", '0', 0);
    archive_add(&a, &h, sizeof(h));
    archive_add(&a, "abc", 3);
    add(&a, "next", '0', "not overridden");
    t = accepted(&a);
    contains(&a, t, "x/long", "abc");
    assert_int_equal(find(t, "x/long")->mtime, 1234567);
    contains(&a, t, "next", "not overridden");
    assert_int_equal(find(t, "next")->mtime, 15);
    tar_close(t);
    free(a.data);
    memset(&a, 0, sizeof(a));

    add(&a, "pax", 'x', "99 path=x\n");
    refused(&a, -EINVAL, "pax record");
    add(&a, "pax", 'x', "10 path_x\n\n");
    refused(&a, -EINVAL, "pax record");
    add(&a, "pax", 'x', "0 path=x\n");
    refused(&a, -EINVAL, "pax record");
    add(&a, "pax", 'x', "10 size=-1\n");
    refused(&a, -EINVAL, "pax ");
    add(&a, "pax", 'x', "31 size=99999999999999999999999\n");
    refused(&a, -EINVAL, "pax ");
    add(&a, "pax", 'x', "23 size=1844674407370955\n");
    add(&a, "f", '0', "x");
    refused(&a, -EINVAL, "pax record");
    add(&a, "pax", 'x', "25 size=1844674407370955\n");
    add(&a, "f", '0', "x");
    refused(&a, -EINVAL, "cuts short");
    add(&a, "pax", 'x', "24 GNU.sparse.major=1.0\n");
    refused(&a, -EINVAL, "sparse");
}

static void test_limits(void **state)
{
    struct archive a = { 0 };
    char name[32], *big = malloc(TAR_EXTENDED_MAX + 2);

    (void)state;
    memset(big, 'p', TAR_EXTENDED_MAX + 1);
    big[TAR_EXTENDED_MAX + 1] = '\0';
    add(&a, "long", 'L', big);
    refused(&a, -E2BIG, "extended");
    big[TAR_PATH_MAX] = '\0';
    add(&a, "long", 'L', big);
    add(&a, "f", '0', "x");
    refused(&a, -E2BIG, "name over the limit");
    free(big);
    for (int i = 0; i < TAR_MEMBERS_MAX; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        add(&a, name, '0', "");
    }
    refused(&a, -E2BIG, "members");
}

static int failing_read(void *ctx, uint64_t offset, void *buf, size_t len)
{
    (void)ctx;
    (void)offset;
    (void)buf;
    (void)len;
    return -EIO;
}

static void test_read_error(void **state)
{
    struct tar *t = NULL;
    char why[80];

    (void)state;
    assert_int_equal(tar_open(failing_read, NULL, 10240, &t, why, 80), -EIO);
    assert_non_null(strstr(why, "disk"));
    assert_int_equal(tar_open(failing_read, NULL, 10240, &t, NULL, 0), -EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_gnu),
        cmocka_unit_test(test_real_pax),
        cmocka_unit_test(test_real_ustar),
        cmocka_unit_test(test_real_v7),
        cmocka_unit_test(test_directories),
        cmocka_unit_test(test_lookup_errors),
        cmocka_unit_test(test_names_that_leave),
        cmocka_unit_test(test_broken_headers),
        cmocka_unit_test(test_base256_size),
        cmocka_unit_test(test_pax),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_read_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
