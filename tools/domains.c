/* Domains by name and number; see guest.h. */
#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "options.h"
#include "say.h"

#define MAX_LIST 65536

int domain_list(const struct host *h, struct rs_domain_info **list)
{
    struct rs_host_info host = { 0 };

    rs_client_host_info(h->client, &host);
    for (unsigned int max = host.domains + 8;; max *= 4) {
        int n;

        *list = calloc(max, sizeof(**list));
        if (*list == NULL)
            return complain("out of memory");
        n = rs_client_domain_list(h->client, *list, max);
        if (n >= 0 && ((unsigned int)n < max || max >= MAX_LIST))
            return n;
        free(*list);
        if (n == -EPIPE)
            return complain("the host has ended");
        if (n < 0)
            return complain("the host does not list its domains: %s",
                            strerror(-n));
    }
}

static bool is_number(const char *s)
{
    return s[0] != '\0' && strspn(s, "0123456789") == strlen(s);
}

bool domain_is(const struct rs_domain_info *d, const char *text)
{
    if (is_number(text))
        return strlen(text) <= 5 && strtoul(text, NULL, 10) == d->domid;
    return strcmp(d->name, text) == 0;
}

int domain_find(const struct host *h, const char *text,
                struct rs_domain_info *info)
{
    struct rs_domain_info *list;
    int n = domain_list(h, &list), err = -ENOENT;

    if (n < 0)
        return n;
    for (int i = 0; i < n && err != 0; i++) {
        if (!domain_is(&list[i], text))
            continue;
        *info = list[i];
        err = 0;
    }
    free(list);
    if (err != 0)
        return complain("there is no domain %s; 'ringside list' shows those "
                        "that there are",
                        text);
    return 0;
}

static int
show_domains(const struct host *h, const char *domain, const char *heading,
             void (*show)(const struct host *, const struct rs_domain_info *))
{
    struct rs_domain_info one, *all = NULL;
    int n = 0, err = 0;

    if (domain != NULL)
        err = domain_find(h, domain, &one);
    else
        n = domain_list(h, &all);
    if (err != 0 || n < 0)
        return EXIT_FAILURE;
    puts(heading);
    if (domain != NULL)
        show(h, &one);
    for (int i = 0; i < n; i++)
        show(h, &all[i]);
    free(all);
    return EXIT_SUCCESS;
}

int domain_table(int argc, char **argv, const char *heading,
                 void (*show)(const struct host *h,
                              const struct rs_domain_info *d))
{
    static const struct option_spec spec = { .letters = "", .max = 1 };
    struct host h;
    int rest, status;

    if (options_parse(argc, argv, &spec, NULL, &rest) != 0 ||
        host_open(&h) != 0)
        return EXIT_FAILURE;
    status = show_domains(&h, rest < argc ? argv[rest] : NULL, heading, show);
    host_close(&h);
    return status;
}
