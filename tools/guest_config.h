/*
 * What a guest should be: the one structure that a configuration file and the
 * command line fill in, and that everything later reads.
 *
 * Functions return 0, or -EINVAL after complain() has said in one line what
 * is wrong. `where` in them names the origin of a text in such a line:
 * "web.cfg: disk" or "--disk".
 */
#ifndef RINGSIDE_TOOLS_GUEST_CONFIG_H
#define RINGSIDE_TOOLS_GUEST_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_MAX_DISKS    16
#define CONFIG_MAX_VIFS     8
#define CONFIG_MAX_FORWARDS 16

struct disk_config {
    char *path;         /* absolute */
    char vdev[16];      /* "xvda" */
    unsigned int devid; /* 51712 */
    bool read_only, cdrom, discard;
    bool shared;       /* access w!: written whoever else uses it */
    bool block_device; /* set by check_guest() */
    uint64_t bytes;    /* set by check_guest() */
};

/* A connection to a port of the host that goes on to one of the guest. */
struct forward {
    bool udp;
    char host_addr[16]; /* dotted IPv4 */
    uint16_t host_port; /* 0 until check_guest() chose a free one */
    uint16_t guest_port;
};

enum vif_type { VIF_NAT, VIF_TAP, VIF_BRIDGE };

struct vif_config {
    enum vif_type type;
    char mac[18]; /* "00:16:3e:…", never empty */
    char dev[16]; /* the TAP device or the bridge */
    char vifname[16], ip[16];
    unsigned int mtu;   /* 0: the backend's default */
    bool host_loopback; /* nat: the host's 127.0.0.1 is 10.0.2.2 */
    bool may_spoof;     /* any source address: antispoof=0 */
    struct forward forwards[CONFIG_MAX_FORWARDS];
    unsigned int nr_forwards;
};

enum end_action { END_DESTROY, END_RESTART, END_PRESERVE };

/* How its kernel gets at the processor: by hypercalls; by instructions that
 * trap and are emulated; the same, some of them on the guest's side. */
enum guest_mode { MODE_PV, MODE_TRAP, MODE_TRAP_STUB };

/* What the hypervisor gives a domain. */
#define CONFIG_MAX_VCPUS      8
#define CONFIG_MAX_MEMORY_MIB 65536

struct guest_config {
    char *name;        /* NULL: from the kernel's file name */
    bool name_derived; /* set by check_guest(): the user gave none */
    char *kernel, *ramdisk;
    char *cmdline; /* NULL: none */
    unsigned int memory_mib;
    unsigned int vcpus, max_vcpus; /* at the start, and ever; max 0: the same */
    enum guest_mode mode;
    bool error_apart; /* a console of its own for standard error */
    bool polled;      /* hypercalls by mailbox while there are many */
    enum end_action on_poweroff, on_reboot, on_crash;
    struct disk_config disks[CONFIG_MAX_DISKS];
    unsigned int nr_disks;
    struct vif_config vifs[CONFIG_MAX_VIFS];
    unsigned int nr_vifs;
};

void config_init(struct guest_config *c);
void config_free(struct guest_config *c);

/* Reads a file in the syntax of xl.cfg(5) into c. */
int config_read_file(struct guest_config *c, const char *path);

/* Adds a disk in the syntax of xl-disk-configuration(5). */
int config_add_disk(struct guest_config *c, const char *where,
                    const char *spec);

/* Adds a network interface; see vif.c for the syntax. */
int config_add_vif(struct guest_config *c, const char *where, const char *spec);

/*
 * Appends words to the guest's command line, as they are; none of them may go
 * on in what is appended later.
 */
int config_add_words(struct guest_config *c, const char *where,
                     const char *words);

/* Appends one argument, quoted so that the guest sees it as one. */
int config_add_arg(struct guest_config *c, const char *arg);

/* Sets an owned string, replacing what was there. */
int config_set(char **field, const char *value);

/* Checks and sets numbers and names that come as text. */
int config_set_name(struct guest_config *c, const char *where, const char *s);
/* 1 to CONFIG_MAX_VCPUS. */
int config_set_vcpus(struct guest_config *c, const char *where, const char *s);
int config_set_maxvcpus(struct guest_config *c, const char *where,
                        const char *s);
/* "pv", "trap" or "trap-stub". */
int config_set_mode(struct guest_config *c, const char *where, const char *s);
/* "trap" or "polled", for which "ring" is an older word. */
int config_set_hypercall(struct guest_config *c, const char *where,
                         const char *s);
unsigned int config_max_vcpus(const struct guest_config *c);
int config_set_memory(struct guest_config *c, const char *where, const char *s);

/*
 * "xvda" → 51712 as in Xen's vbd interface document: xvda…xvdp with partitions
 * 0…15; 0 if that is not such a name.
 */
unsigned int vdev_to_devid(const char *vdev);

/*
 * The first key assigned at top level in xl.cfg text that is_known() refuses.
 * Returns its line, and the key in key[size]; 0 if all are known. Text that is
 * not xl.cfg syntax gives any answer, but none out of bounds.
 */
unsigned int config_find_unknown(const char *text,
                                 bool (*is_known)(const char *key), char *key,
                                 unsigned int size);

#endif
