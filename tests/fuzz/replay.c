/*
 * The main() of a fuzz target when it is not linked with libFuzzer: runs the
 * target once over every file named on the command line, or found in a
 * directory named there, in the order of the names.  It prints each name
 * before it runs it, so that the last one tells what ended the process, and at
 * the end their number; none is a failure.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned inputs;

static int replay_file(const char *path)
{
    struct stat st;
    uint8_t *data = NULL;
    int ret = -1;
    FILE *f = fopen(path, "rb");

    if (!f || fstat(fileno(f), &st) < 0)
        goto out;
    /* Exactly as large as the input, so that ASan sees one byte too many. */
    data = malloc(st.st_size ? (size_t)st.st_size : 1);
    if (!data || fread(data, 1, (size_t)st.st_size, f) != (size_t)st.st_size)
        goto out;
    printf("replay: %s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
    inputs++;
    ret = 0;
out:
    if (ret < 0)
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
    free(data);
    if (f)
        fclose(f);
    return ret;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay_path(const char *path)
{
    struct dirent **entries;
    char name[4096];
    int n, ret = 0;

    n = scandir(path, &entries, is_visible, alphasort);
    if (n < 0)
        return replay_file(path);
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
        if (replay_file(name) < 0)
            ret = -1;
        free(entries[i]);
    }
    free(entries);
    return ret;
}

int main(int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc; i++)
        if (replay_path(argv[i]) < 0)
            status = 1;
    printf("replayed %u inputs\n", inputs);
    return inputs ? status : 1;
}
