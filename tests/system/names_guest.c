/*
 * The guest of names.sh: each argument is a number of seconds to be idle for,
 * or a name to be looked up; tells the address.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <ringside/guest.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static const char *address_of(const char *name)
{
    const struct sockaddr_in *in;
    struct addrinfo *found;
    static char text[INET_ADDRSTRLEN];

    if (getaddrinfo(name, NULL, NULL, &found))
        return "unknown";
    in = (const struct sockaddr_in *)found->ai_addr;
    inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
    freeaddrinfo(found);
    return text;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *end;
        unsigned long seconds = strtoul(argv[i], &end, 10);

        if (!*end)
            rs_sleep((uint64_t)seconds * 1000000000u);
        else
            printf("%s: %s\n", argv[i], address_of(argv[i]));
    }
    return 0;
}
