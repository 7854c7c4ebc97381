/*
 * Sends each word of its command line, or each line of its console, to another
 * guest and prints what comes back.
 */
#include <ringside/vchan.h>
#include <stdio.h>
#include <string.h>

#include "peer.h"

/* As many bytes come back as went there. */
static int ask(struct rs_vchan *v, const char *word)
{
    size_t len = strlen(word), got = 0;
    char buf[1024];
    long n = rs_vchan_write(v, word, len);

    while (n >= 0 && got < len) {
        size_t room = sizeof(buf) < len - got ? sizeof(buf) : len - got;

        n = rs_vchan_read(v, buf, room);
        if (n <= 0)
            break;
        fwrite(buf, 1, (size_t)n, stdout);
        got += (size_t)n;
    }
    putchar('\n');
    return got == len ? 0 : -1;
}

static int ask_lines(struct rs_vchan *v)
{
    char line[200];
    int err = 0;

    while (!err && fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        err = ask(v, line);
    }
    return err;
}

int main(int argc, char **argv)
{
    struct rs_vchan *v;
    int err =
        rs_vchan_connect(peer_domid(), "data/upper", 10 * 1000000000ull, &v);

    if (err) {
        printf("no vchan: %s\n", strerror(-err));
        return 1;
    }
    for (int i = 1; !err && i < argc; i++)
        err = ask(v, argv[i]);
    if (argc == 1)
        err = ask_lines(v);
    rs_vchan_close(v);
    return err ? 1 : 0;
}
