/*
 * Specifications of network interfaces: KEY=VALUE, separated by commas, as in
 * xl-network-configuration(5), with keys of Ringside's own.
 *
 *   mac=00:16:3e:01:02:03   default: a random one of 00:16:3e
 *   type=nat|tap|bridge     default: what the other keys say, else nat
 *   forward=tcp:8080:80     nat: a port of the host (all of [ADDR:]PORT) goes
 *                           to one of the guest; again, or joined by '+'
 *   tap=DEV  bridge=DEV     an existing TAP device; an existing bridge
 *   vifname=DEV             bridge: the name of the device on it
 *   ip=ADDR  mtu=N
 *   antispoof=0|1           default: 1, frames must come from mac, and ip if
 *                           given
 */
#include "guest_config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "say.h"

/* The whole of s as a number of at most max; -1 if it is not. */
static long number_of(const char *s, long max)
{
    char *end;
    long n;

    errno = 0;
    n = strtol(s, &end, 10);
    if (s[0] < '0' || s[0] > '9' || *end != '\0' || errno != 0 || n > max)
        return -1;
    return n;
}

static bool copy_word(char *out, size_t size, const char *s)
{
    return s[0] != '\0' && (size_t)snprintf(out, size, "%s", s) < size;
}

/* A name that a network device may have. */
static bool copy_device(char out[16], const char *s)
{
    return copy_word(out, IFNAMSIZ, s) && strpbrk(s, "/ :%") == NULL &&
           s[0] != '.';
}

static bool set_mac(struct vif_config *v, const char *s)
{
    unsigned char b[6];
    int n = 0;

    if (sscanf(s, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &b[0], &b[1], &b[2],
               &b[3], &b[4], &b[5], &n) != 6 ||
        s[n] != '\0' || n != 17 || (b[0] & 1) != 0 ||
        (b[0] | b[1] | b[2] | b[3] | b[4] | b[5]) == 0)
        return false;
    snprintf(v->mac, sizeof(v->mac), "%02x:%02x:%02x:%02x:%02x:%02x", b[0],
             b[1], b[2], b[3], b[4], b[5]);
    return true;
}

/* One "tcp:[ADDR:]HOSTPORT:GUESTPORT"; changes s. */
static bool add_forward(struct vif_config *v, char *s)
{
    struct forward f = { .host_addr = "127.0.0.1" };
    char *field[4];
    unsigned int n = 0;
    struct in_addr addr;
    long host, guest;

    if (v->nr_forwards == CONFIG_MAX_FORWARDS)
        return false;
    for (char *p = s; p != NULL;) {
        if (n == 4)
            return false;
        field[n++] = strsep(&p, ":");
    }
    if (n < 3)
        return false;
    f.udp = strcmp(field[0], "udp") == 0;
    if (!f.udp && strcmp(field[0], "tcp") != 0)
        return false;
    if (n == 4 && (inet_pton(AF_INET, field[1], &addr) != 1 ||
                   !copy_word(f.host_addr, sizeof(f.host_addr), field[1])))
        return false;
    host = number_of(field[n - 2], 65535);
    guest = number_of(field[n - 1], 65535);
    if (host < 0 || guest <= 0)
        return false;
    f.host_port = (uint16_t)host;
    f.guest_port = (uint16_t)guest;
    v->forwards[v->nr_forwards++] = f;
    return true;
}

static bool set_forward(struct vif_config *v, const char *s)
{
    char *copy = strdup(s), *rest = copy, *one;
    bool ok = copy != NULL;

    while (ok && (one = strsep(&rest, "+")) != NULL)
        ok = add_forward(v, one);
    free(copy);
    return ok;
}

static bool set_type(struct vif_config *v, const char *s)
{
    static const char *const names[] = { "nat", "tap", "bridge" };

    for (unsigned int i = 0; i < 3; i++) {
        if (strcmp(s, names[i]) == 0) {
            v->type = (enum vif_type)i;
            return true;
        }
    }
    return false;
}

static bool set_tap(struct vif_config *v, const char *s)
{
    v->type = VIF_TAP;
    return copy_device(v->dev, s);
}

static bool set_bridge(struct vif_config *v, const char *s)
{
    v->type = VIF_BRIDGE;
    return copy_device(v->dev, s);
}

static bool set_vifname(struct vif_config *v, const char *s)
{
    return copy_device(v->vifname, s);
}

static bool set_ip(struct vif_config *v, const char *s)
{
    struct in_addr addr;

    return inet_pton(AF_INET, s, &addr) == 1 &&
           copy_word(v->ip, sizeof(v->ip), s);
}

static bool set_mtu(struct vif_config *v, const char *s)
{
    long n = number_of(s, 65535);

    v->mtu = (unsigned int)n;
    return n >= 68;
}

static bool set_host_loopback(struct vif_config *v, const char *s)
{
    v->host_loopback = strcmp(s, "1") == 0;
    return v->host_loopback || strcmp(s, "0") == 0;
}

static bool set_antispoof(struct vif_config *v, const char *s)
{
    v->may_spoof = strcmp(s, "0") == 0;
    return v->may_spoof || strcmp(s, "1") == 0;
}

static const struct {
    const char *key;
    bool (*set)(struct vif_config *v, const char *value);
    const char *right;
} keys[] = {
    { "mac", set_mac, "a unicast address like 00:16:3e:01:02:03" },
    { "type", set_type, "nat, tap or bridge" },
    { "forward", set_forward,
      "tcp:HOSTPORT:GUESTPORT or udp:…, '+' between "
      "several" },
    { "tap", set_tap, "the name of a TAP device" },
    { "bridge", set_bridge, "the name of a bridge" },
    { "vifname", set_vifname, "the name of a network device" },
    { "ip", set_ip, "an IPv4 address" },
    { "mtu", set_mtu, "68 to 65535" },
    { "host-loopback", set_host_loopback, "0 or 1" },
    { "antispoof", set_antispoof, "0 or 1" },
};
#define NR_KEYS (sizeof(keys) / sizeof(keys[0]))

static int set_key(struct vif_config *v, const char *where, char *item)
{
    char *value = strchr(item, '=');

    if (value == NULL)
        return complain("%s: vif: '%s' is not of the form KEY=VALUE", where,
                        item);
    *value++ = '\0';
    for (size_t i = 0; i < NR_KEYS; i++) {
        if (strcmp(item, keys[i].key) != 0)
            continue;
        if (keys[i].set(v, value))
            return 0;
        return complain("%s: vif: %s=%s: should be %s", where, item, value,
                        keys[i].right);
    }
    return complain("%s: vif: unknown key '%s'; there are mac, type, forward, "
                    "tap, bridge, vifname, ip, mtu, host-loopback and "
                    "antispoof",
                    where, item);
}

/* What no single key can tell. */
static int check_vif(const struct vif_config *v, const char *where)
{
    if (v->type != VIF_NAT && v->dev[0] == '\0')
        return complain("%s: vif: type=%s needs %s=DEVICE", where,
                        v->type == VIF_TAP ? "tap" : "bridge",
                        v->type == VIF_TAP ? "tap" : "bridge");
    if (v->type == VIF_NAT && v->dev[0] != '\0')
        return complain("%s: vif: type=nat does not use device %s", where,
                        v->dev);
    if (v->type != VIF_NAT && v->nr_forwards > 0)
        return complain("%s: vif: forward= goes with type=nat only", where);
    if (v->type != VIF_NAT && v->host_loopback)
        return complain("%s: vif: host-loopback=1 goes with type=nat only",
                        where);
    return 0;
}

static int random_mac(struct vif_config *v)
{
    unsigned char r[3];

    if (getrandom(r, sizeof(r), 0) != sizeof(r))
        return complain("the kernel gives no random numbers");
    snprintf(v->mac, sizeof(v->mac), "00:16:3e:%02x:%02x:%02x", r[0] & 0x7f,
             r[1], r[2]);
    return 0;
}

int config_add_vif(struct guest_config *c, const char *where, const char *spec)
{
    struct vif_config v = { .type = VIF_NAT };
    char *copy, *rest, *item;
    int err = 0;

    if (c->nr_vifs == CONFIG_MAX_VIFS)
        return complain("%s: more than %d vifs", where, CONFIG_MAX_VIFS);
    copy = strdup(spec);
    if (copy == NULL)
        return complain("out of memory");
    rest = copy;
    while (err == 0 && (item = strsep(&rest, ",")) != NULL) {
        item += strspn(item, " \t");
        if (item[0] != '\0')
            err = set_key(&v, where, item);
    }
    free(copy);
    if (err == 0)
        err = check_vif(&v, where);
    if (err == 0 && v.mac[0] == '\0')
        err = random_mac(&v);
    if (err == 0)
        c->vifs[c->nr_vifs++] = v;
    return err;
}
