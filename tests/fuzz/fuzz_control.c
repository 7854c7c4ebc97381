/*
 * Fuzzes the control socket from the client's end: any sequence of messages,
 * with true and false headers and descriptors of many kinds.
 *
 * Input: a byte that chooses the role (3: no HELLO), then messages of
 *   type (1 byte), flags (1), size (2, little-endian), size bytes of payload.
 * Flags: bits 0-2 which descriptor slots are filled, bit 3 a wrong size in the
 * header, bit 4 wrong slots in the header. The guest of this host grants
 * nothing to processes: a process that leaves with granted pages is killed, and
 * here it would be the fuzzer.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hypervisor/control/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rs_host *host;
static char dir[] = "/tmp/ringside-fuzz-XXXXXX";
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int files[3];

static void clean_up(void)
{
    rs_host_free(host);
    rmdir(dir);
}

static int sealed_file(void)
{
    int fd = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (write(fd, "\177ELF\2\1\1", 7) != 7)
        abort();
    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
    return fd;
}

static void set_up(void)
{
    struct rs_host_config c = { .engine = "test" };
    struct domain *d;

    if (!mkdtemp(dir) || rs_host_new(&c, &host))
        abort();
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", dir);
    if (rs_host_listen(host, address.sun_path) ||
        domain_alloc(host, 2, "guest", &engine_test, &d) ||
        memory_create(d, 1024, 1 + GRANT_MAX_FRAMES) ||
        evtchn_init(d, EVTCHN_MAX_PORTS) || grant_init(d) ||
        engine_test.domain_create(d))
        abort();
    files[0] = sealed_file();
    files[1] = eventfd(0, EFD_CLOEXEC);
    files[2] = open("/dev/null", O_RDWR | O_CLOEXEC);
    atexit(clean_up);
}

static void send_message(int fd, struct control_buffer *m, size_t size,
                         unsigned int slots)
{
    char control[CMSG_SPACE(sizeof(files))] __attribute__((aligned(8))) = { 0 };
    struct iovec iov = { m, sizeof(m->h) + size };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    struct cmsghdr *c = (struct cmsghdr *)(void *)control;
    unsigned int n = 0;

    for (unsigned int i = 0; i < 3; i++)
        if (slots & 1u << i)
            memcpy(CMSG_DATA(c) + sizeof(int) * n++, &files[i], sizeof(int));
    if (n) {
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
    }
    if (sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return; /* it has shown us the door */
}

static void take_replies(int fd)
{
    char bytes[64];

    rs_host_dispatch(host, 0);
    while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
}

static void say_hello(int fd, uint32_t role)
{
    static struct control_buffer m;
    struct control_hello hello = { CONTROL_VERSION, role };

    m.h =
        (struct control_header){ .type = CONTROL_HELLO, .size = sizeof(hello) };
    memcpy(m.payload, &hello, sizeof(hello));
    send_message(fd, &m, sizeof(hello), 0);
    take_replies(fd);
}

static size_t one_message(int fd, const uint8_t *data, size_t size)
{
    static struct control_buffer m;
    uint8_t type = data[0], flags = data[1];
    size_t n = (size_t)(data[2] | data[3] << 8);

    if (n > size - 4)
        n = size - 4;
    if (n > CONTROL_PAYLOAD_MAX)
        n = CONTROL_PAYLOAD_MAX;
    memcpy(m.payload, data + 4, n);
    m.h = (struct control_header){
        .type = type,
        .size = (uint32_t)n + (flags & 8 ? flags : 0),
        .fds = (flags & 16) ? flags >> 5 : flags & 7,
    };
    send_message(fd, &m, n, flags & 7);
    take_replies(fd);
    return n + 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (!host)
        set_up();
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
        abort();
    take_replies(fd);
    if (size && data[0] < 3)
        say_hello(fd, data[0]);
    for (size_t at = 1; at + 4 <= size;)
        at += one_message(fd, data + at, size - at);
    close(fd);
    /* Nothing of this client may be left, or the next finds no place. */
    for (int i = 0; i < 4; i++)
        rs_host_dispatch(host, 0);
    if (host->control->nr_clients)
        abort();
    return 0;
}
