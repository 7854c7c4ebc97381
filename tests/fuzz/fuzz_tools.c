/*
 * The toolstack's own parsers on arbitrary bytes. The first byte chooses:
 * an ELF image, a vif's specification, a line of the driver domain's, or the
 * keys of an xl.cfg text.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/guest_config.h"
#include "tools/image.h"
#include "tools/io_stats.h"
#include "tools/say.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_image(const uint8_t *data, size_t size)
{
    int fd = memfd_create("image", MFD_CLOEXEC);
    struct image_info info;
    const char *why;

    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    if (image_probe(fd, &info, &why) == 0)
        assert(info.end <= 2ull * UINT32_MAX);
    else
        assert(why[0] != '\0');
    close(fd);
}

static void fuzz_vif(const char *spec)
{
    struct guest_config c;
    const struct vif_config *v = &c.vifs[0];

    config_init(&c);
    if (config_add_vif(&c, "fuzz", spec) == 0) {
        assert(c.nr_vifs == 1 && strlen(v->mac) == 17);
        assert((v->type == VIF_NAT) == (v->dev[0] == '\0'));
        assert(strchr(v->dev, '/') == NULL);
        assert(v->nr_forwards <= CONFIG_MAX_FORWARDS);
        for (unsigned int i = 0; i < v->nr_forwards; i++)
            assert(v->forwards[i].guest_port != 0);
    } else {
        assert(c.nr_vifs == 0);
    }
    config_free(&c);
}

static void fuzz_io(const char *line)
{
    struct device_io d;

    if (!io_parse_line(line, &d))
        return;
    assert(d.type[0] >= 'a' && memchr(d.type, '\0', sizeof(d.type)) != NULL);
    assert(d.has < 1u << IO_VALUES);
    for (unsigned int i = 0; i < IO_VALUES; i++)
        assert(d.has & 1u << i || d.value[i] == 0);
}

static bool is_known(const char *key)
{
    return key[0] == 'k';
}

static void fuzz_keys(const char *text)
{
    char key[8] = "";
    unsigned int lines = 1, line;

    for (const char *p = text; *p != '\0'; p++)
        lines += *p == '\n';
    line = config_find_unknown(text, is_known, key, sizeof(key));
    assert(line <= lines);
    assert(line == 0 || key[0] != '\0');
    assert(memchr(key, '\0', sizeof(key)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    complain_silently(true);
    if (size == 0)
        return 0;
    if (data[0] == 'E') {
        fuzz_image(data + 1, size - 1);
        return 0;
    }
    text = strndup((const char *)data + 1, size - 1);
    if (data[0] == 'V')
        fuzz_vif(text);
    else if (data[0] == 'I')
        fuzz_io(text);
    else
        fuzz_keys(text);
    free(text);
    return 0;
}
