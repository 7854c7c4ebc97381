/*
 * Clients of the control socket that mean harm, or are just broken: none of
 * them may crash the hypervisor, hold it up, or leave something behind in it.
 * After each, an honest client is served (tear-down counts descriptors).
 */
#include "control_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <linux/userfaultfd.h>

#include "hypervisor/control/internal.h"

/* ---- speaking without the library ---- */

static int raw_connect(const struct fixture *f)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    strcpy(a.sun_path, f->path);
    CHECK(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    return fd;
}

static ssize_t raw_send(int fd, const void *bytes, size_t n, const int *fds,
                        unsigned int nr, int flags)
{
    char control[CMSG_SPACE(sizeof(int) * 200)]
        __attribute__((aligned(8))) = { 0 };
    struct iovec iov = { (void *)bytes, n };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    struct cmsghdr *c = (struct cmsghdr *)(void *)control;

    if (nr) {
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(nr * sizeof(int));
        memcpy(CMSG_DATA(c), fds, nr * sizeof(int));
        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(nr * sizeof(int));
    }
    return sendmsg(fd, &msg, MSG_NOSIGNAL | flags);
}

struct message {
    struct control_header h;
    uint8_t payload[CONTROL_PAYLOAD_MAX + 64];
};

/* Sends a header and a payload of `size` bytes with `nr` descriptors. */
static void raw_request(int fd, enum control_type type, const void *payload,
                        size_t size, const int *fds, unsigned int nr)
{
    static struct message m;

    m.h = (struct control_header){ .type = type,
                                   .size = (uint32_t)size,
                                   .fds = nr < 32 ? (1u << nr) - 1 : ~0u };
    if (size)
        memcpy(m.payload, payload, size);
    raw_send(fd, &m, sizeof(m.h) + size, fds, nr, 0);
}

/* The result of the next reply; `payload` takes what came with it. */
static long raw_reply(int fd, void *payload, size_t n)
{
    static struct message m;
    ssize_t got = recv(fd, &m, sizeof(m), 0);

    if (got < (ssize_t)sizeof(m.h))
        return -EPIPE;
    if (payload)
        memcpy(payload, m.payload, n);
    return m.h.result;
}

static int raw_hello(const struct fixture *f, enum control_role role)
{
    struct control_hello hello = { CONTROL_VERSION, role };
    int fd = raw_connect(f);

    raw_request(fd, CONTROL_HELLO, &hello, sizeof(hello), NULL, 0);
    CHECK(raw_reply(fd, NULL, 0) == 0);
    return fd;
}

static bool is_closed(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char byte;

    return poll(&p, 1, 5000) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

/* ---- the honest client after each ---- */

static void be_honest(struct fixture *f, void *arg)
{
    struct rs_host_info info;

    (void)arg;
    CHECK(join_as(f, "driver") == 0);
    CHECK(rs_client_host_info(client, &info) == 0);
    CHECK(info.domains >= 1);
}

static void run_hostile(void **state, client_fn *fn)
{
    struct fixture *f = *state;
    unsigned int before = open_descriptors();

    assert_int_equal(run_client(f, fn, NULL), 0);
    for (int i = 0; open_descriptors() != before && i < 1000; i++)
        serve_for(f, 1); /* many that go take some turns */
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(run_client(f, be_honest, NULL), 0);
}

static void claim_nonsense(struct fixture *f, void *arg)
{
    struct control_hello hello = { CONTROL_VERSION, 7 };
    int fd = raw_connect(f);

    (void)arg;
    raw_request(fd, CONTROL_HELLO, &hello, sizeof(hello), NULL, 0);
    CHECK(raw_reply(fd, NULL, 0) == -EINVAL);
    close(fd);
}

static void test_unknown_role(void **state)
{
    run_hostile(state, claim_nonsense);
}

/* ---- messages ---- */

static uint32_t seed = 1;

static uint32_t dice(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static void send_garbage(struct fixture *f, void *arg)
{
    static struct message m;

    (void)arg;
    for (int i = 0; i < 3000; i++) {
        int fd = dice(2) ? raw_connect(f) : raw_hello(f, dice(3));
        int fds[4] = { fd, 0, 1, 2 };
        size_t size = dice(8) ? dice(200) : dice(sizeof(m.payload));

        for (size_t at = 0; at < sizeof(m.h) + size && at < sizeof(m); at++)
            ((uint8_t *)&m)[at] = dice(3) ? 0 : (uint8_t)dice(256);
        if (dice(10)) {
            m.h.type = dice(CONTROL_TYPES + 2);
            m.h.size = (uint32_t)(dice(10) ? size : dice(1000000));
        }
        raw_send(fd, &m, dice(20) ? sizeof(m.h) + size : dice(30), fds,
                 dice(4) ? 0 : dice(5), MSG_DONTWAIT);
        close(fd);
    }
}

static void test_garbage(void **state)
{
    run_hostile(state, send_garbage);
}

static void send_short(struct fixture *f, void *arg)
{
    static const uint8_t zero[2000];

    (void)arg;
    for (unsigned int type = CONTROL_HELLO; type < CONTROL_TYPES; type++) {
        if (type == CONTROL_HOST_INFO)
            continue; /* nothing is what it wants */
        int fd = type == CONTROL_HELLO ? raw_connect(f)
                                       : raw_hello(f, CONTROL_STORE);

        raw_request(fd, type, zero, 3, NULL, 0);
        CHECK(is_closed(fd));
        close(fd);
    }
}

static void test_short_messages(void **state)
{
    run_hostile(state, send_short);
}

static void lie_about_arguments(struct fixture *f, void *arg)
{
    static const uint32_t lies[][3] = { /* size, count, bytes */
                                        { 8, 0xffffffff, 8 },
                                        { 0xffffffff, 0xffffffff, 1 },
                                        { 0x80000000, 2, 0 },
                                        { 32, 3, 64 }
    };
    struct {
        struct control_hypercall call;
        uint8_t args[128];
    } m = { .call = { .nr = __HYPERVISOR_grant_table_op } };

    (void)arg;
    for (unsigned int i = 0; i < 4; i++) {
        int fd = raw_hello(f, CONTROL_DRIVER);

        m.call.size = lies[i][0];
        m.call.count = lies[i][1];
        raw_request(fd, CONTROL_HYPERCALL, &m, sizeof(m.call) + lies[i][2],
                    NULL, 0);
        CHECK(is_closed(fd));
        close(fd);
    }
}

static void test_lies_about_arguments(void **state)
{
    run_hostile(state, lie_about_arguments);
}

static void send_descriptors(struct fixture *f, void *arg)
{
    struct control_hello hello = { CONTROL_VERSION, CONTROL_DRIVER };
    int fds[200], fd;

    (void)arg;
    for (int i = 0; i < 200; i++)
        fds[i] = i ? dup(fds[0]) : open("/dev/null", O_RDONLY);
    for (unsigned int n = 2; n < 200; n += 33) {
        fd = raw_connect(f);
        raw_request(fd, CONTROL_HELLO, &hello, sizeof(hello), fds, n);
        CHECK(is_closed(fd));
        close(fd);
    }
    /* Left unread in the socket when it closes. */
    fd = raw_connect(f);
    for (int i = 0; i < 50; i++)
        raw_request(fd, CONTROL_HOST_INFO, NULL, 0, fds, 200);
    close(fd);
    /* A call that takes none. */
    fd = raw_hello(f, CONTROL_TOOL);
    raw_request(fd, CONTROL_HOST_INFO, NULL, 0, fds, 1);
    CHECK(is_closed(fd));
}

static void test_descriptors(void **state)
{
    run_hostile(state, send_descriptors);
}

/* ---- pace ---- */

#define UNREAD_MAX 100000

static void never_read(struct fixture *f, void *arg)
{
    int fd = raw_hello(f, CONTROL_TOOL);
    struct control_header h = { .type = CONTROL_HOST_INFO };
    struct rs_host_info info;
    uint32_t sent = 0;

    (void)arg;
    /* Until the hypervisor reads no more of it. */
    for (int idle = 0; idle < 100 && sent < UNREAD_MAX;) {
        h.serial = sent;
        if (raw_send(fd, &h, sizeof(h), NULL, 0, MSG_DONTWAIT) < 0) {
            usleep(1000);
            idle++;
        } else {
            sent++;
            idle = 0;
        }
    }
    CHECK(sent > 10 && sent < UNREAD_MAX);
    /* Others do not notice. */
    CHECK(connect_tool(f) == 0);
    CHECK(rs_client_host_info(client, &info) == 0);
    /* Each request has its reply, in order, once we do read. */
    for (uint32_t i = 0; i < sent; i++) {
        static struct message m;

        CHECK(recv(fd, &m, sizeof(m), 0) > 0 && m.h.serial == i);
    }
}

static void test_client_that_never_reads(void **state)
{
    run_hostile(state, never_read);
}

static void half_close(struct fixture *f, void *arg)
{
    struct control_hello hello = { CONTROL_VERSION, CONTROL_TOOL };

    (void)arg;
    for (int i = 0; i < 100; i++) {
        int fd = raw_connect(f);

        if (i & 1)
            raw_request(fd, CONTROL_HELLO, &hello, sizeof(hello), NULL, 0);
        shutdown(fd, i & 2 ? SHUT_RD : SHUT_WR);
        if (i & 4)
            raw_request(fd, CONTROL_HELLO, &hello, sizeof(hello), NULL, 0);
        if (!(i & 2))
            CHECK(is_closed(fd) || is_closed(fd));
        close(fd);
    }
}

static void test_half_closed(void **state)
{
    run_hostile(state, half_close);
}

#define CROWD ((int)CONTROL_CLIENTS_MAX + 100)

static void crowd(struct fixture *f, void *arg)
{
    struct control_hello hello = { CONTROL_VERSION, CONTROL_TOOL };
    static int fds[CROWD];
    int served = 0;

    (void)arg;
    for (int i = 0; i < CROWD; i++) {
        fds[i] = raw_connect(f);
        raw_request(fds[i], CONTROL_HELLO, &hello, sizeof(hello), NULL, 0);
    }
    for (int i = 0; i < CROWD; i++)
        served += raw_reply(fds[i], NULL, 0) == 0;
    CHECK(served == (int)CONTROL_CLIENTS_MAX);
}

static void test_crowd(void **state)
{
    struct rlimit r;

    /* Both ends of each, and those of their processes. */
    CHECK(!getrlimit(RLIMIT_NOFILE, &r));
    if (r.rlim_max < 4 * CROWD)
        skip();
    r.rlim_cur = r.rlim_max;
    CHECK(!setrlimit(RLIMIT_NOFILE, &r));
    run_hostile(state, crowd);
}

/* ---- descriptors that are not what they should be ---- */

static int used_userfaultfd(void)
{
    struct uffdio_api api = { .api = UFFD_API };
    int fd = (int)syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY | O_CLOEXEC);

    ioctl(fd, UFFDIO_API, &api);
    return fd;
}

static void offer_wrong_files(struct fixture *f, void *arg)
{
    struct control_hello hello = { CONTROL_VERSION, CONTROL_DRIVER };
    struct control_welcome welcome = { 0 };
    int p[2];
    int files[] = { open("/dev/null", O_RDWR), memfd_create("x", 0),
                    epoll_create1(0), used_userfaultfd(), -1 };

    (void)arg;
    CHECK(pipe(p) == 0);
    files[4] = p[0];
    for (unsigned int i = 0; i < 5; i++) {
        int fd = raw_connect(f);

        if (files[i] < 0)
            continue; /* no userfaultfd on this machine */
        raw_request(fd, CONTROL_HELLO, &hello, sizeof(hello), &files[i], 1);
        CHECK(raw_reply(fd, &welcome, sizeof(welcome)) == 0);
        CHECK(welcome.strict == 0 && welcome.domid == 1);
        close(fd);
    }
}

static void test_wrong_files_for_windows(void **state)
{
    run_hostile(state, offer_wrong_files);
}

static int sealed(int seals)
{
    int fd = memfd_create("x", MFD_ALLOW_SEALING | MFD_CLOEXEC);

    CHECK(write(fd, "\177ELF", 4) == 4);
    fcntl(fd, F_ADD_SEALS, seals);
    return fd;
}

static void create_from_wrong_files(struct fixture *f, void *arg)
{
    struct control_create c = { .vcpus = 1, .memory_kib = 8192, .name = "x" };
    struct control_created out;
    int fd = raw_hello(f, CONTROL_TOOL), p[2];
    int files[] = { open("/", O_RDONLY), sealed(F_SEAL_WRITE),
                    sealed(F_SEAL_SHRINK), -1, fd };

    (void)arg;
    CHECK(pipe(p) == 0);
    files[3] = p[0];
    for (unsigned int i = 0; i < 5; i++) {
        raw_request(fd, CONTROL_CREATE, &c, sizeof(c), &files[i], 1);
        CHECK(raw_reply(fd, &out, sizeof(out)) == -EINVAL);
        CHECK(strstr(out.why, "sealed"));
    }
    /* The right kind of file, the wrong bytes; a huge one. */
    files[0] = sealed(F_SEAL_WRITE | F_SEAL_SHRINK);
    raw_request(fd, CONTROL_CREATE, &c, sizeof(c), files, 1);
    CHECK(raw_reply(fd, &out, sizeof(out)) == -ENOEXEC);
    files[0] = memfd_create("x", MFD_ALLOW_SEALING);
    CHECK(ftruncate(files[0], 1ll << 40) == 0);
    fcntl(files[0], F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK);
    raw_request(fd, CONTROL_CREATE, &c, sizeof(c), files, 1);
    CHECK(raw_reply(fd, &out, sizeof(out)) < 0 && out.why[0]);
    memset(c.name, 'x', sizeof(c.name));
    raw_request(fd, CONTROL_CREATE, &c, sizeof(c), files, 1);
    CHECK(is_closed(fd));
}

static void test_wrong_files_for_images(void **state)
{
    run_hostile(state, create_from_wrong_files);
}

/* ---- windows ---- */

#define GUEST 2
#define GFN   300
#define GREF  8

static long call_map_of(int fd, domid_t domid, grant_ref_t ref,
                        struct gnttab_map_grant_ref *op)
{
    struct {
        struct control_hypercall call;
        struct gnttab_map_grant_ref op;
    } m = { .call = { .nr = __HYPERVISOR_grant_table_op,
                      .cmd = GNTTABOP_map_grant_ref,
                      .size = sizeof(*op),
                      .count = 1 },
            .op = { .dom = domid, .ref = ref, .flags = GNTMAP_host_map } };

    raw_request(fd, CONTROL_HYPERCALL, &m, sizeof(m), NULL, 0);
    long ret = raw_reply(fd, &m, sizeof(m));
    *op = m.op;
    return ret;
}

static long call_map(int fd, grant_ref_t ref, struct gnttab_map_grant_ref *op)
{
    return call_map_of(fd, GUEST, ref, op);
}

static long call_window(int fd, enum control_type type,
                        struct control_window *w)
{
    raw_request(fd, type, w, sizeof(*w), NULL, 0);
    return raw_reply(fd, type == CONTROL_WINDOW_FILE ? w : NULL, sizeof(*w));
}

/* WINDOW_FILE, with the file that comes with the reply. */
static int take_file(int fd, struct control_window *w)
{
    static struct message m;
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    struct iovec iov = { &m, sizeof(m) };
    struct msghdr msg = { .msg_iov = &iov,
                          .msg_iovlen = 1,
                          .msg_control = control,
                          .msg_controllen = sizeof(control) };
    int file;

    raw_request(fd, CONTROL_WINDOW_FILE, w, sizeof(*w), NULL, 0);
    CHECK(recvmsg(fd, &msg, 0) > 0 && m.h.result == 0 && m.h.fds == 1);
    CHECK(CMSG_FIRSTHDR(&msg));
    memcpy(&file, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(file));
    memcpy(w, m.payload, sizeof(*w));
    return file;
}

/* As the library does, with a userfaultfd; -1 where there is none. */
static int strict_driver(const struct fixture *f)
{
    struct control_hello hello = { CONTROL_VERSION, CONTROL_DRIVER };
    struct control_welcome welcome;
    int uffd = (int)syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY | O_CLOEXEC);
    int fd = raw_connect(f);

    if (uffd < 0)
        return -1;
    raw_request(fd, CONTROL_HELLO, &hello, sizeof(hello), &uffd, 1);
    CHECK(raw_reply(fd, &welcome, sizeof(welcome)) == 0 && welcome.strict);
    close(uffd);
    return fd;
}

static void lie_about_windows(struct fixture *f, void *arg)
{
    struct control_window w = { .domid = GUEST }, bad;
    struct gnttab_map_grant_ref op;
    int fd = strict_driver(f);
    uint64_t lies[4];

    (void)arg;
    if (fd < 0)
        return;
    /* Nothing was granted yet: nobody's memory file is ours to have. */
    CHECK(call_window(fd, CONTROL_WINDOW_FILE, &w) == -EPERM);
    CHECK(call_window(fd, CONTROL_WINDOW_CLOSE, &w) == -ENOENT);
    CHECK(call_map(fd, GREF + 1, &op) == 0 && op.status < 0);
    CHECK(call_window(fd, CONTROL_WINDOW_FILE, &w) == -EPERM);
    CHECK(call_map(fd, GREF, &op) == 0);
    CHECK(op.status == GNTST_no_device_space);
    w.domid = 0x10000 + GUEST;
    CHECK(call_window(fd, CONTROL_WINDOW_FILE, &w) == -ESRCH);
    w.domid = 3;
    CHECK(call_window(fd, CONTROL_WINDOW_FILE, &w) == -EPERM);
    w.domid = GUEST;
    CHECK(call_window(fd, CONTROL_WINDOW_FILE, &w) == 0);
    lies[0] = 1;
    lies[1] = (uintptr_t)mmap(NULL, w.size, PROT_READ,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    lies[2] = UINT64_MAX - 4095;
    lies[3] = 0;
    for (int i = 0; i < 4; i++) {
        bad = w;
        bad.address = lies[i];
        CHECK(call_window(fd, CONTROL_WINDOW_OPEN, &bad) < 0);
    }
    bad = w;
    bad.size = 4096;
    CHECK(call_window(fd, CONTROL_WINDOW_OPEN, &bad) == -EINVAL);
    bad = w;
    bad.id++;
    CHECK(call_window(fd, CONTROL_WINDOW_OPEN, &bad) == -EPERM);
    CHECK(call_map(fd, GREF, &op) == 0);
    CHECK(op.status == GNTST_no_device_space);
}

static void test_lies_about_windows(void **state)
{
    struct fixture *f = *state;

    grant_seed(make_guest(f, GUEST, "guest"), GREF, 1, GFN);
    make_guest(f, 3, "other");
    run_hostile(state, lie_about_windows);
}

/*
 * The file is mapped where it should be, but not as it should: with access,
 * with pages touched before, in part, or it is another granter's file.
 */
static void map_wrongly(struct fixture *f, void *arg)
{
    struct control_window w[2] = { { .domid = GUEST }, { .domid = 3 } }, bad;
    struct gnttab_map_grant_ref op;
    int fd = strict_driver(f), file[2];
    char *p;

    (void)arg;
    if (fd < 0)
        return;
    for (int i = 1; i >= 0; i--) {
        CHECK(call_map_of(fd, (domid_t)w[i].domid, GREF, &op) == 0);
        file[i] = take_file(fd, &w[i]);
    }
    for (int way = 0; way < 4; way++) {
        p = mmap(NULL, w[0].size, way == 0 ? PROT_READ : PROT_NONE, MAP_SHARED,
                 file[way == 1], way == 2 ? 4096 : 0);
        if (way == 3) {
            mprotect(p, w[0].size, PROT_READ | PROT_WRITE);
            p[GFN * PAGE_SIZE] = 1;
            mprotect(p, w[0].size, PROT_NONE);
        }
        bad = w[0];
        bad.address = (uintptr_t)p;
        CHECK(call_window(fd, CONTROL_WINDOW_OPEN, &bad) == -EINVAL);
    }
    w[0].address =
        (uintptr_t)mmap(NULL, w[0].size, PROT_NONE, MAP_SHARED, file[0], 0);
    CHECK(call_window(fd, CONTROL_WINDOW_OPEN, &w[0]) == 0);
    CHECK(call_map_of(fd, GUEST, GREF, &op) == 0 && op.status == GNTST_okay);
}

static void test_windows_mapped_wrongly(void **state)
{
    struct fixture *f = *state;

    grant_seed(make_guest(f, GUEST, "guest"), GREF, 1, GFN);
    grant_seed(make_guest(f, 3, "other"), GREF, 1, GFN);
    /* It ends with a page mapped, so it is killed once that is known. */
    run_hostile(state, map_wrongly);
}

static void remove_window(struct fixture *f, void *arg)
{
    struct rs_client_mapping m;
    grant_ref_t refs[] = { GREF, GREF + 1 };

    (void)arg;
    CHECK(join_as(f, "driver") == 0);
    if (!rs_client_grants_strict(client))
        return;
    CHECK(rs_client_map_grants(client, GUEST, refs, 1, false, &m) == 1);
    munmap((char *)m.addr - GFN * PAGE_SIZE, GUEST_PAGES * PAGE_SIZE);
    /* The hypervisor finds nothing to put a page into, and ends with us. */
    CHECK(rs_client_map_grants(client, GUEST, refs + 1, 1, false, &m) ==
          -EPIPE);
}

static void test_window_removed(void **state)
{
    struct fixture *f = *state;
    struct domain *d = make_guest(f, GUEST, "guest");

    grant_seed(d, GREF, 1, GFN);
    grant_seed(d, GREF + 1, 1, GFN + 1);
    run_hostile(state, remove_window);
    assert_int_equal(d->memory.pins, 0);
}

/* ---- consoles that do not read ---- */

static void test_console_never_waits(void **state)
{
    struct fixture *f = *state;
    static char chunk[4000], back[300000];
    struct control_sink *sink;
    ssize_t got = 0, n;
    int p[2];

    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    sink = control_sink_new(f->host, dup(p[1]));
    memset(chunk, 'x', sizeof(chunk));
    for (int i = 0; i < 250; i++)
        control_sink_write(sink, chunk, sizeof(chunk));
    /* The tool's own descriptor still waits, as it did. */
    assert_int_equal(fcntl(p[1], F_GETFL) & O_NONBLOCK, 0);
    fcntl(p[0], F_SETFL, O_NONBLOCK);
    do {
        n = read(p[0], back + got, sizeof(back) - (size_t)got - 1);
        got += n > 0 ? n : 0;
        serve_for(f, 1);
    } while (n > 0 || got == 0);
    assert_in_range(got, 65536, 65536 + 65536 + 200);
    assert_non_null(strstr(back, "dropped"));
    /* The reader has caught up: it goes on. */
    control_sink_write(sink, "end", 3);
    assert_int_equal(read(p[0], back, sizeof(back)), 3);
    close(p[0]);
    control_sink_write(sink, "nobody", 6);
    control_sink_write(sink, "nobody", 6);
    control_sink_free(sink);
    close(p[1]);
}

/* A file keeps what it takes; it does not take everything. */
static void test_console_fills_no_disk(void **state)
{
    struct fixture *f = *state;
    static char chunk[65536];
    char end[128] = "";
    int fd = memfd_create("log", MFD_CLOEXEC);
    struct control_sink *sink = control_sink_new(f->host, dup(fd));
    off_t size;

    memset(chunk, 'x', sizeof(chunk));
    for (int i = 0; i < 64; i++) {
        control_sink_write(sink, chunk, sizeof(chunk));
        assert_int_equal(lseek(fd, 0, SEEK_END), (i + 1) * 65536);
    }
    for (int i = 0; i < 100; i++)
        control_sink_write(sink, chunk, sizeof(chunk));
    control_sink_free(sink);
    size = lseek(fd, 0, SEEK_END);
    assert_in_range(size, 4 << 20, (4 << 20) + 200);
    assert_true(pread(fd, end, sizeof(end) - 1, 4 << 20) > 0);
    assert_non_null(strstr(end, "the rest is dropped\n"));
    close(fd);
}

#define TEST(fn) \
    cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unknown_role),
        TEST(test_garbage),
        TEST(test_short_messages),
        TEST(test_lies_about_arguments),
        TEST(test_descriptors),
        TEST(test_client_that_never_reads),
        TEST(test_half_closed),
        TEST(test_crowd),
        TEST(test_wrong_files_for_windows),
        TEST(test_wrong_files_for_images),
        TEST(test_lies_about_windows),
        TEST(test_windows_mapped_wrongly),
        TEST(test_window_removed),
        TEST(test_console_never_waits),
        TEST(test_console_fills_no_disk),
    };

    return cmocka_run_group_tests_name("control, hostile clients", tests, NULL,
                                       NULL);
}
