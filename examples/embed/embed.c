/*
 * A hypervisor of one's own: boots a guest with libringside, without any
 * daemon.
 *
 *     embed KERNEL.elf [WORD...]     the words become the guest's command line
 *
 * The guest has a console (what it writes appears on stdout) but neither store
 * nor devices. Ends with the guest's exit status, or 1 if it crashed.
 */
#include <ringside/ringside.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_KIB (16 * 1024)
#define KERNEL_MAX (64 * 1024 * 1024)

struct session {
    struct rs_host *host;
    int domid;
    bool changed; /* look at its state again */
};

static void print_console(void *data, const char *bytes, size_t n)
{
    (void)data;
    fwrite(bytes, 1, n, stdout);
    fflush(stdout);
}

static void print_log(void *data, enum rs_log_level level, const char *line)
{
    (void)data;
    if (level <= RS_LOG_WARN)
        fprintf(stderr, "%s\n", line);
}

/* Called with the host locked: it may not call the library. */
static void domain_changed(void *data, uint16_t domid)
{
    struct session *s = data;

    if (domid == s->domid)
        s->changed = true;
}

static void *read_kernel(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    char *bytes = malloc(KERNEL_MAX);

    if (!f || !bytes) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    *size = fread(bytes, 1, KERNEL_MAX, f);
    fclose(f);
    return bytes;
}

static int run(struct session *s, const struct rs_domain_config *config)
{
    struct rs_domain_info info;

    s->domid = rs_domain_create(s->host, config);
    if (s->domid < 0 || rs_domain_unpause(s->host, (uint16_t)s->domid) != 0) {
        fprintf(stderr, "cannot boot: %s\n", rs_error());
        return EXIT_FAILURE;
    }
    do {
        s->changed = false;
        if (rs_domain_info(s->host, (uint16_t)s->domid, &info) != 0)
            return EXIT_FAILURE;
        if (info.state == RS_DOMAIN_SHUTDOWN)
            break;
        while (!s->changed && rs_host_dispatch(s->host, -1) >= 0)
            ;
    } while (s->changed);
    if (info.crash[0])
        fprintf(stderr, "the guest crashed: %s\n", info.crash);
    rs_domain_destroy(s->host, (uint16_t)s->domid);
    return info.shutdown_reason == 0 ? (int)info.exit_status : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct session session = { .domid = -1 };
    struct rs_host_config host = { .log = print_log,
                                   .domain_event = domain_changed,
                                   .data = &session };
    struct rs_domain_config domain = { .memory_kib = MEMORY_KIB,
                                       .vcpus = 1,
                                       .console = print_console };
    char cmdline[RS_CMDLINE_MAX] = "";
    void *kernel;
    int status;

    if (argc < 2) {
        fprintf(stderr, "usage: embed KERNEL.elf [WORD...]\n");
        return EXIT_FAILURE;
    }
    for (int i = 2; i < argc; i++) {
        size_t used = strlen(cmdline);

        snprintf(cmdline + used, sizeof(cmdline) - used, "%s%s",
                 used ? " " : "", argv[i]);
    }
    domain.cmdline = cmdline;
    domain.kernel = kernel = read_kernel(argv[1], &domain.kernel_size);
    if (rs_host_new(&host, &session.host) != 0) {
        fprintf(stderr, "no host: %s\n", rs_error());
        return EXIT_FAILURE;
    }
    status = run(&session, &domain);
    rs_host_free(session.host);
    free(kernel);
    return status;
}
