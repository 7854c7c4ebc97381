/*
 * xl.cfg(5) files and xl-disk-configuration(5) specifications. Both are parsed
 * by libxlutil, so that they mean what they mean to xl; this is the only file
 * that knows of it. libxlutil answers questions about keys but does not list
 * them, so unknown keys are found by config_find_unknown().
 */
#include "guest_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libxlutil.h>

#include "say.h"

#define CONFIG_MAX_BYTES 65536

/* libxlutil with its report kept in memory, to be told as one line. */
struct parser {
    XLU_Config *xlu;
    FILE *report;
    char *text;
    size_t size;
    const char *file; /* for messages */
    char where[256];  /* in it: "web.cfg: memory" */
};

static int parser_open(struct parser *p, const char *file)
{
    *p = (struct parser){ .file = file };
    p->report = open_memstream(&p->text, &p->size);
    if (p->report != NULL)
        p->xlu = xlu_cfg_init(p->report, file);
    if (p->xlu != NULL)
        return 0;
    if (p->report != NULL)
        fclose(p->report);
    free(p->text);
    return complain("out of memory");
}

static void parser_close(struct parser *p)
{
    xlu_cfg_destroy(p->xlu);
    fclose(p->report);
    free(p->text);
}

/* The first line of libxlutil's report; "" if it said nothing. */
static const char *parser_said(struct parser *p)
{
    fflush(p->report);
    if (p->text != NULL)
        p->text[strcspn(p->text, "\n")] = '\0';
    return p->text != NULL ? p->text : "";
}

static int complain_parser(struct parser *p, const char *what)
{
    const char *said = parser_said(p);

    if (said[0] == '\0')
        return complain("%s: %s", p->file, what);
    return complain("%s", said);
}

/* ---- disks ---- */

static int absolute_path(const char *path, char **out)
{
    char cwd[4096];

    if (path[0] == '/')
        *out = strdup(path);
    else if (getcwd(cwd, sizeof(cwd)) == NULL)
        return complain("the current directory is gone");
    else if (asprintf(out, "%s/%s", cwd, path) < 0)
        *out = NULL;
    return *out != NULL ? 0 : complain("out of memory");
}

static int check_disk_spec(const char *where, const char *spec,
                           const libxl_device_disk *d)
{
    if (d->script != NULL || d->backend_domname != NULL)
        return complain("%s: '%s': script= and backend= are not supported; "
                        "give a file or block device",
                        where, spec);
    if (d->format != LIBXL_DISK_FORMAT_RAW)
        return complain("%s: '%s': only format raw is supported", where, spec);
    if (d->pdev_path == NULL || d->pdev_path[0] == '\0')
        return complain("%s: '%s' names no file or device (target)", where,
                        spec);
    if (d->vdev == NULL || vdev_to_devid(d->vdev) == 0)
        return complain("%s: '%s': the guest's name for it (vdev) must be "
                        "xvda to xvdp",
                        where, spec);
    return 0;
}

static int disk_from_xlu(struct disk_config *disk, const libxl_device_disk *d)
{
    *disk = (struct disk_config){
        .devid = vdev_to_devid(d->vdev),
        .read_only = !d->readwrite,
        .cdrom = d->is_cdrom,
        .discard = d->discard_enable.val >= 0,
    };
    snprintf(disk->vdev, sizeof(disk->vdev), "%s", d->vdev);
    return absolute_path(d->pdev_path, &disk->path);
}

static void free_xlu_disk(libxl_device_disk *d)
{
    free(d->pdev_path);
    free(d->vdev);
    free(d->script);
    free(d->backend_domname);
    free(d->colo_host);
    free(d->colo_export);
    free(d->active_disk);
    free(d->hidden_disk);
}

static int check_disk_unique(const struct guest_config *c, const char *where,
                             const struct disk_config *disk)
{
    for (unsigned int i = 0; i < c->nr_disks; i++) {
        if (c->disks[i].devid == disk->devid)
            return complain("%s: two disks are called %s", where, disk->vdev);
    }
    return 0;
}

/* Is this part of a specification an access "w!"? What comes first without a
 * key is the target. */
static bool is_shared(const char *part, size_t n, bool first)
{
    static const char *const words[] = { "access=w!", "access=rw!", "w!",
                                         "rw!" };

    for (unsigned int i = 0; i < (first ? 2u : 4u); i++) {
        if (strlen(words[i]) == n && strncmp(part, words[i], n) == 0)
            return true;
    }
    return false;
}

/*
 * Access may be "w!" as in Xen's block script, which libxlutil does not know:
 * takes the mark out of the copy. A target, which comes last, is left alone.
 */
static bool take_shared(char *spec)
{
    for (char *part = spec; *part != '\0'; part += *part == ',') {
        size_t n;

        part += strspn(part, " ");
        n = strcspn(part, ",");
        if (strncmp(part, "target=", 7) == 0)
            return false;
        if (is_shared(part, n, part == spec)) {
            memmove(part + n - 1, part + n, strlen(part + n) + 1);
            return true;
        }
        part += n;
    }
    return false;
}

int config_add_disk(struct guest_config *c, const char *where, const char *spec)
{
    libxl_device_disk d = { .backend_domid = 0 };
    struct disk_config *disk = &c->disks[c->nr_disks];
    const char *plain;
    struct parser p;
    char *copy;
    bool shared;
    int err;

    if (c->nr_disks == CONFIG_MAX_DISKS)
        return complain("%s: more than %d disks", where, CONFIG_MAX_DISKS);
    copy = strdup(spec);
    if (copy == NULL)
        return complain("out of memory");
    if (parser_open(&p, where) != 0) {
        free(copy);
        return -EINVAL;
    }
    shared = take_shared(copy);
    plain = copy;
    err = xlu_disk_parse(p.xlu, 1, &plain, &d);
    if (err != 0)
        err = complain_parser(&p, "bad disk specification");
    else
        err = check_disk_spec(where, spec, &d);
    if (err == 0)
        err = disk_from_xlu(disk, &d);
    if (err == 0) {
        disk->shared = shared;
        err = check_disk_unique(c, where, disk);
        if (err != 0)
            free(disk->path);
    }
    if (err == 0)
        c->nr_disks++;
    free_xlu_disk(&d);
    parser_close(&p);
    free(copy);
    return err;
}

/* ---- keys of a file ---- */

/* A key's value as a string, NULL if it is not there. */
static int get_string(struct parser *p, const char *key, const char **value)
{
    int err = xlu_cfg_get_string(p->xlu, key, value, 0);

    if (err == 0)
        return 0;
    *value = NULL;
    return err == ESRCH ? 0 : complain_parser(p, "not a string");
}

static int read_name(struct parser *p, struct guest_config *c, const char *s)
{
    return config_set_name(c, p->where, s);
}

static int read_memory(struct parser *p, struct guest_config *c, const char *s)
{
    return config_set_memory(c, p->where, s);
}

static int read_vcpus(struct parser *p, struct guest_config *c, const char *s)
{
    return config_set_vcpus(c, p->where, s);
}

static int read_maxvcpus(struct parser *p, struct guest_config *c,
                         const char *s)
{
    return config_set_maxvcpus(c, p->where, s);
}

static int read_mode(struct parser *p, struct guest_config *c, const char *s)
{
    return config_set_mode(c, p->where, s);
}

static int read_hypercall(struct parser *p, struct guest_config *c,
                          const char *s)
{
    return config_set_hypercall(c, p->where, s);
}

static int read_kernel(struct parser *p, struct guest_config *c, const char *s)
{
    (void)p;
    return config_set(&c->kernel, s);
}

static int read_ramdisk(struct parser *p, struct guest_config *c, const char *s)
{
    (void)p;
    return config_set(&c->ramdisk, s);
}

static int read_cmdline(struct parser *p, struct guest_config *c, const char *s)
{
    return config_add_words(c, p->where, s);
}

static int read_type(struct parser *p, struct guest_config *c, const char *s)
{
    (void)c;
    if (strcmp(s, "pv") == 0 || strcmp(s, "pvh") == 0)
        return 0;
    return complain("%s: '%s': Ringside runs paravirtual guests, pv or pvh",
                    p->where, s);
}

static int read_action(struct parser *p, const char *s, enum end_action *out)
{
    static const char *const names[] = { "destroy", "restart", "preserve" };

    for (unsigned int i = 0; i < 3; i++) {
        if (strcmp(s, names[i]) == 0) {
            *out = (enum end_action)i;
            return 0;
        }
    }
    return complain("%s: '%s' is not destroy, restart or preserve", p->where,
                    s);
}

static int read_on_poweroff(struct parser *p, struct guest_config *c,
                            const char *s)
{
    return read_action(p, s, &c->on_poweroff);
}

static int read_on_reboot(struct parser *p, struct guest_config *c,
                          const char *s)
{
    return read_action(p, s, &c->on_reboot);
}

static int read_on_crash(struct parser *p, struct guest_config *c,
                         const char *s)
{
    return read_action(p, s, &c->on_crash);
}

/* What xl.cfg may say, and who reads it. `item` keys hold lists. */
static const struct {
    const char *key;
    int (*read)(struct parser *p, struct guest_config *c, const char *value);
    int (*item)(struct guest_config *c, const char *where, const char *value);
} keys[] = {
    { "name", read_name, NULL },
    { "type", read_type, NULL },
    { "memory", read_memory, NULL },
    { "vcpus", read_vcpus, NULL },
    { "maxvcpus", read_maxvcpus, NULL },
    { "mode", read_mode, NULL },
    { "hypercall", read_hypercall, NULL },
    { "kernel", read_kernel, NULL },
    { "ramdisk", read_ramdisk, NULL },
    { "cmdline", read_cmdline, NULL },
    { "extra", read_cmdline, NULL },
    { "on_poweroff", read_on_poweroff, NULL },
    { "on_reboot", read_on_reboot, NULL },
    { "on_crash", read_on_crash, NULL },
    { "disk", NULL, config_add_disk },
    { "vif", NULL, config_add_vif },
};
#define NR_KEYS (sizeof(keys) / sizeof(keys[0]))

static bool is_known(const char *key)
{
    for (size_t i = 0; i < NR_KEYS; i++) {
        if (strcmp(keys[i].key, key) == 0)
            return true;
    }
    return false;
}

static int read_list(struct parser *p, struct guest_config *c, size_t i)
{
    XLU_ConfigList *list;
    int n, err = xlu_cfg_get_list(p->xlu, keys[i].key, &list, &n, 0);

    if (err == ESRCH)
        return 0;
    if (err != 0)
        return complain_parser(p, "not a list");
    err = 0;
    for (int k = 0; k < n && err == 0; k++) {
        const char *item = xlu_cfg_get_listitem(list, k);

        if (item == NULL)
            err = complain("%s: an entry is not a string", p->where);
        else
            err = keys[i].item(c, p->where, item);
    }
    return err;
}

static int read_keys(struct parser *p, struct guest_config *c)
{
    int err = 0;

    for (size_t i = 0; i < NR_KEYS && err == 0; i++) {
        const char *value;

        snprintf(p->where, sizeof(p->where), "%s: %s", p->file, keys[i].key);
        if (keys[i].item != NULL) {
            err = read_list(p, c, i);
            continue;
        }
        err = get_string(p, keys[i].key, &value);
        if (err == 0 && value != NULL)
            err = keys[i].read(p, c, value);
    }
    return err;
}

static int check_keys(const char *path, const char *text)
{
    char key[64];
    unsigned int line = config_find_unknown(text, is_known, key, sizeof(key));

    if (line == 0)
        return 0;
    return complain("%s:%u: unknown option '%s'; see ringside(1) for those "
                    "that there are",
                    path, line, key);
}

/* Reads a whole file of at most CONFIG_MAX_BYTES as a string. It ends with a
 * newline, without which libxlutil takes no comment for one. */
static int read_text(const char *path, char **text)
{
    struct stat st;
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return complain("cannot read the configuration %s: %s", path,
                        strerror(errno));
    *text = calloc(1, CONFIG_MAX_BYTES + 2);
    if (*text != NULL && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        n = read(fd, *text, CONFIG_MAX_BYTES + 1);
    close(fd);
    if (n >= 0 && n <= CONFIG_MAX_BYTES && strlen(*text) == (size_t)n) {
        if (n > 0 && (*text)[n - 1] != '\n')
            (*text)[n] = '\n';
        return 0;
    }
    free(*text);
    return complain("%s is not a configuration file (xl.cfg syntax) or guest",
                    path);
}

int config_read_file(struct guest_config *c, const char *path)
{
    struct parser p;
    char *text = NULL;
    int err;

    if (read_text(path, &text) != 0)
        return -EINVAL;
    err = parser_open(&p, path);
    if (err != 0)
        goto out;
    if (xlu_cfg_readdata(p.xlu, text, (int)strlen(text)) != 0)
        err = complain_parser(&p, "not in xl.cfg syntax");
    else
        err = check_keys(path, text);
    if (err == 0)
        err = read_keys(&p, c);
    parser_close(&p);
out:
    free(text);
    return err;
}
