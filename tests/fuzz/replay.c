/*
 * The main() of a fuzz target when it is not linked with libFuzzer: runs the
 * target once over every file named on the command line, or found in a
 * directory named there.  make check replays each target's corpus with it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
    ret = 0;
out:
    if (ret < 0)
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
    free(data);
    if (f)
        fclose(f);
    return ret;
}

static int replay_dir(const char *path)
{
    char name[4096];
    struct dirent *entry;
    int ret = 0;
    DIR *dir = opendir(path);

    if (!dir)
        return replay_file(path);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (replay_file(name) < 0)
            ret = -1;
    }
    closedir(dir);
    return ret;
}

int main(int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc; i++)
        if (replay_dir(argv[i]) < 0)
            status = 1;
    return status;
}
