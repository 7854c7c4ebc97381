/* The nodes outside the tree; see special.h. */
#include "store/special.h"

#include <errno.h>
#include <string.h>

#include "tree/path.h"

const char *const special_path[SPECIAL_COUNT] = {
    [SPECIAL_INTRODUCE] = "@introduceDomain",
    [SPECIAL_RELEASE] = "@releaseDomain",
};

int special_find(const struct path *p)
{
    for (int i = 0; i < SPECIAL_COUNT; i++)
        if (!strcmp(p->str, special_path[i]))
            return i;
    return -ENOENT;
}
