/* Does what guests ask for, as domain 0; see agent.h. */
#include "tests/probe/agent.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static bool request(struct stream *st, struct message *m, uint32_t type,
                    const char *path, const void *data, size_t len)
{
    size_t n = strlen(path) + 1;

    m->hdr = (struct xsd_sockmsg){ .type = type, .len = (uint32_t)(n + len) };
    memcpy(m->data, path, n);
    if (len)
        memcpy(m->data + n, data, len);
    return stream_ask(st, m) && m->hdr.type == type;
}

/* A letter at `path`; its answer is put beside it. */
static void answer(struct stream *mail, struct stream *root, const char *path)
{
    static char out[sizeof(struct letter) + XENSTORE_PAYLOAD_MAX];
    static struct message m, ack;
    struct letter letter;
    char beside[256];

    if (!request(mail, &m, XS_READ, path, NULL, 0) || m.hdr.len != LETTER_SIZE)
        return;
    memcpy(&letter, m.data, sizeof(letter));
    if (letter.hdr.len > LETTER_SIZE - sizeof(letter))
        return;
    memmove(m.data, m.data + sizeof(letter), letter.hdr.len);
    m.hdr = letter.hdr;
    if (m.hdr.type == AGENT_EVENT ? !stream_event(root, &m)
                                  : !stream_ask(root, &m))
        m.hdr = (struct xsd_sockmsg){ .type = AGENT_EVENT };
    letter.hdr = m.hdr;
    memcpy(out, &letter, sizeof(letter));
    memcpy(out + sizeof(letter), m.data, m.hdr.len);
    snprintf(beside, sizeof(beside), "%.*sanswer",
             (int)(strlen(path) - strlen("ask")), path);
    request(mail, &ack, XS_WRITE, beside, out, sizeof(letter) + m.hdr.len);
}

static bool is_letter(const char *path)
{
    static const char end[] = "/" MAILBOX "/ask";
    size_t len = strlen(path);

    return len > sizeof(end) && !strcmp(path + len - (sizeof(end) - 1), end);
}

/* Whether something comes: an end, too, but that is told. */
static bool wait_bytes(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char byte;

    return poll(&p, 1, -1) == 1 && recv(fd, &byte, 1, MSG_PEEK) == 1;
}

int agent_run(struct stream *mail, struct stream *root)
{
    static struct message m;

    if (!request(mail, &m, XS_WATCH, "/local/domain", "mail", sizeof("mail")))
        return 1;
    while (wait_bytes(mail->fd))
        while (stream_event(mail, &m))
            if (is_letter(m.data))
                answer(mail, root, m.data);
    return 0;
}
