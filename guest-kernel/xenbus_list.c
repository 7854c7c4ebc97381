/*
 * A node's children: in one reply, or in parts where the names are more than
 * one can hold.
 *
 * A part is the directory's generation and bytes of the list from an offset on;
 * an empty name follows the last one. Where the generation changes the
 * list is begun anew.
 */
#include "guest-kernel/xenbus_ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX  1000 /* of 4 KiB; a store that has more to say lies */
#define GENERATION 24

/* Turns name NUL name NUL... of len bytes into an array that owns its text. */
static char **split_names(const char *body, size_t len, size_t *count)
{
    size_t n = 0;
    char **names, *text;

    for (size_t i = 0; i < len; i++)
        n += body[i] == '\0';
    names = malloc((n + 1) * sizeof(*names) + len + 1);
    if (!names)
        return NULL;
    text = memcpy(names + n + 1, body, len);
    text[len] = '\0';
    for (size_t i = 0; i < n; i++) {
        names[i] = text;
        text += strlen(text) + 1;
    }
    names[n] = NULL;
    *count = n;
    return names;
}

struct list_text {
    char *text;
    size_t len;
    char generation[GENERATION];
    bool whole;
};

static int append(struct list_text *l, const char *more, size_t n)
{
    char *text = realloc(l->text, l->len + n + 1);

    if (!text)
        return -ENOMEM;
    memcpy(text + l->len, more, n);
    l->text = text;
    l->len += n;
    return 0;
}

/* `part` is of len bytes and a NUL. */
static int take_part(struct list_text *l, const char *part, size_t len)
{
    size_t head = strlen(part) + 1, n = len - head;

    if (head > GENERATION || head >= len)
        return -EIO;
    if (l->len && strcmp(part, l->generation)) {
        l->len = 0;
        return 0;
    }
    strcpy(l->generation, part);
    part += head;
    l->whole = !part[n - 1] && (n == 1 || !part[n - 2]);
    return append(l, part, n - l->whole);
}

static int ask_for_part(xenbus_tx tx, const char *path, struct list_text *l)
{
    struct xs_part parts[2];
    char offset[GENERATION], *part;
    size_t len;
    int err;

    snprintf(offset, sizeof(offset), "%zu", l->len);
    parts[0] = xs_string(path);
    parts[1] = xs_string(offset);
    err = xs_request(XS_DIRECTORY_PART, tx, parts, 2, &part, &len);
    if (err)
        return err;
    err = take_part(l, part, len);
    free(part);
    return err;
}

/* -EAGAIN: it changes all the time. */
static int list_in_parts(xenbus_tx tx, const char *path, struct list_text *l)
{
    int err = 0;

    for (int i = 0; i < PARTS_MAX && !err && !l->whole; i++)
        err = ask_for_part(tx, path, l);
    return !err && !l->whole ? -EAGAIN : err;
}

int xenbus_ls(xenbus_tx tx, const char *path, char ***names, size_t *n)
{
    struct xs_part part = xs_string(path);
    struct list_text l = { 0 };
    int err = xs_request(XS_DIRECTORY, tx, &part, 1, &l.text, &l.len);

    if (err == -E2BIG) {
        l = (struct list_text){ 0 };
        err = list_in_parts(tx, path, &l);
    }
    if (!err) {
        *names = split_names(l.text, l.len, n);
        err = *names ? 0 : -ENOMEM;
    }
    free(l.text);
    return err;
}
