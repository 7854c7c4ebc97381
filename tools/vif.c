/*
 * Specifications of network interfaces: KEY=VALUE, separated by commas, as in
 * xl-network-configuration(5), with keys of Ringside's own.
 *
 *   mac=00:16:3e:01:02:03   default: a random one of 00:16:3e
 *   type=nat|tap|bridge     default: what the other keys say, else nat; they
 *                           must not say something else
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

#define MTU_MAX 65520 /* a frame of the backend's */

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

static const char *const type_names[] = { "nat", "tap", "bridge" };

static bool set_type(struct vif_config *v, const char *s)
{
    for (unsigned int i = 0; i < 3; i++) {
        if (strcmp(s, type_names[i]) == 0) {
            v->type = (enum vif_type)i;
            return true;
        }
    }
    return false;
}

static bool set_dev(struct vif_config *v, const char *s)
{
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
    long n = number_of(s, MTU_MAX);

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

enum {
    KEY_MAC,
    KEY_TYPE,
    KEY_FORWARD,
    KEY_TAP,
    KEY_BRIDGE,
    KEY_VIFNAME,
    KEY_IP,
    KEY_MTU,
    KEY_HOST_LOOPBACK,
    KEY_ANTISPOOF,
    NR_KEYS
};

static const struct {
    const char *key;
    bool (*set)(struct vif_config *v, const char *value);
    const char *right;
} keys[NR_KEYS] = {
    [KEY_MAC] = { "mac", set_mac, "a unicast address like 00:16:3e:01:02:03" },
    [KEY_TYPE] = { "type", set_type, "nat, tap or bridge" },
    [KEY_FORWARD] = { "forward", set_forward,
                      "tcp:HOSTPORT:GUESTPORT or udp:…, '+' between several" },
    [KEY_TAP] = { "tap", set_dev, "the name of a TAP device" },
    [KEY_BRIDGE] = { "bridge", set_dev, "the name of a bridge" },
    [KEY_VIFNAME] = { "vifname", set_vifname, "the name of a network device" },
    [KEY_IP] = { "ip", set_ip, "an IPv4 address" },
    [KEY_MTU] = { "mtu", set_mtu, "68 to 65520" },
    [KEY_HOST_LOOPBACK] = { "host-loopback", set_host_loopback, "0 or 1" },
    [KEY_ANTISPOOF] = { "antispoof", set_antispoof, "0 or 1" },
};

/* `given`, a bit for each key, gains this one. */
static int set_key(struct vif_config *v, const char *where, char *item,
                   unsigned int *given)
{
    char *value = strchr(item, '=');

    if (value == NULL)
        return complain("%s: '%s' is not of the form KEY=VALUE", where, item);
    *value++ = '\0';
    for (unsigned int i = 0; i < NR_KEYS; i++) {
        if (strcmp(item, keys[i].key) != 0)
            continue;
        if (i != KEY_FORWARD && (*given & 1U << i) != 0)
            return complain("%s: %s= is given twice", where, item);
        *given |= 1U << i;
        if (keys[i].set(v, value))
            return 0;
        return complain("%s: %s=%s: should be %s", where, item, value,
                        keys[i].right);
    }
    return complain("%s: unknown key '%s'; there are mac, type, forward, "
                    "tap, bridge, vifname, ip, mtu, host-loopback and "
                    "antispoof",
                    where, item);
}

/* Keys that one type only knows. */
static const struct {
    unsigned int key;
    enum vif_type type;
    bool needed;
} bound[] = {
    { KEY_TAP, VIF_TAP, true },
    { KEY_BRIDGE, VIF_BRIDGE, true },
    { KEY_VIFNAME, VIF_BRIDGE, false },
    { KEY_FORWARD, VIF_NAT, false },
    { KEY_HOST_LOOPBACK, VIF_NAT, false },
};

/* What no single key can tell, and the type if none is given. */
static int settle_type(struct vif_config *v, const char *where,
                       unsigned int given)
{
    if ((given & 1U << KEY_TYPE) == 0)
        v->type = (given & 1U << KEY_TAP) != 0      ? VIF_TAP
                  : (given & 1U << KEY_BRIDGE) != 0 ? VIF_BRIDGE
                                                    : VIF_NAT;
    for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++) {
        const char *key = keys[bound[i].key].key;
        bool has = (given & 1U << bound[i].key) != 0;

        if (has && bound[i].type != v->type)
            return complain("%s: %s= goes with type=%s, not with type=%s",
                            where, key, type_names[bound[i].type],
                            type_names[v->type]);
        if (!has && bound[i].needed && bound[i].type == v->type)
            return complain("%s: type=%s needs %s=DEVICE", where,
                            type_names[v->type], key);
    }
    return 0;
}

static bool mac_taken(const struct guest_config *c, const char *mac)
{
    for (unsigned int i = 0; i < c->nr_vifs; i++) {
        if (strcmp(c->vifs[i].mac, mac) == 0)
            return true;
    }
    return false;
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

/* One of its own among the guest's cards, drawn if none was given. */
static int settle_mac(const struct guest_config *c, struct vif_config *v,
                      const char *where)
{
    bool given = v->mac[0] != '\0';
    int err = 0;

    if (given && mac_taken(c, v->mac))
        return complain("%s: mac=%s: another vif of this guest has it", where,
                        v->mac);
    while (!given && err == 0 && (v->mac[0] == '\0' || mac_taken(c, v->mac)))
        err = random_mac(v);
    return err;
}

int config_add_vif(struct guest_config *c, const char *where, const char *spec)
{
    struct vif_config v = { .type = VIF_NAT };
    char *copy, *rest, *item;
    unsigned int given = 0;
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
            err = set_key(&v, where, item, &given);
    }
    free(copy);
    if (err == 0)
        err = settle_type(&v, where, given);
    if (err == 0)
        err = settle_mac(c, &v, where);
    if (err == 0)
        c->vifs[c->nr_vifs++] = v;
    return err;
}
