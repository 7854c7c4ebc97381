/* Which paths there are. */
#include "tests/probe/probe.h"

/* clang-format off */
static const struct probe probes[] = {
    { "characters that may be in a name",
      "WRITE ~/ABCXYZabcxyz0189-_@|v = OK|\n"
      "READ &/ABCXYZabcxyz0189-_@| = v" },
    { "characters that may not",
      "READ ~/a b| = EINVAL\n"
      "READ ~/.| = EINVAL\n"
      "READ ~/..| = EINVAL\n"
      "READ ~/a:b| = EINVAL\n"
      "READ ~/a+| = EINVAL\n"
      "READ ~/a*| = EINVAL\n"
      "READ ~/\\x23| = EINVAL\n"
      "READ ~/\\x5c| = EINVAL\n"
      "READ ~/\\x7e| = EINVAL\n"
      "READ ~/\\x01| = EINVAL\n"
      "READ ~/\\x0a| = EINVAL\n"
      "READ ~/\\x7f| = EINVAL\n"
      "READ ~/\\x80| = EINVAL\n"
      "READ ~/\\xff| = EINVAL" },
    { "a bad character in each request",
      "DIRECTORY ~/.| = EINVAL\n"
      "WRITE ~/.|v = EINVAL\n"
      "MKDIR ~/.| = EINVAL\n"
      "RM ~/.| = EINVAL\n"
      "GET_PERMS ~/.| = EINVAL\n"
      "SET_PERMS ~/.|n$| = EINVAL\n"
      "WATCH ~/.|t| = EINVAL\n"
      "UNWATCH ~/.|t| = EINVAL\n"
      "DIRECTORY_PART ~/.|0| = EINVAL" },
    { "a double slash in each request",
      "READ ~//a| = EINVAL\n"
      "READ //| = EINVAL\n"
      "READ //local| = EINVAL\n"
      "READ &//a| = EINVAL\n"
      "DIRECTORY ~//a| = EINVAL\n"
      "WRITE ~//a|v = EINVAL\n"
      "MKDIR ~//a| = EINVAL\n"
      "RM ~//a| = EINVAL\n"
      "GET_PERMS ~//a| = EINVAL\n"
      "SET_PERMS ~//a|n$| = EINVAL\n"
      "WATCH ~//a|t| = EINVAL\n"
      "UNWATCH ~//a|t| = EINVAL\n"
      "DIRECTORY_PART ~//a|0| = EINVAL" },
    { "a trailing slash in each request",
      "READ ~/| = EINVAL\n"
      "READ &/| = EINVAL\n"
      "READ local/| = EINVAL\n"
      "DIRECTORY ~/| = EINVAL\n"
      "WRITE ~/a/|v = EINVAL\n"
      "MKDIR ~/a/| = EINVAL\n"
      "RM ~/| = EINVAL\n"
      "GET_PERMS ~/| = EINVAL\n"
      "SET_PERMS ~/|n$| = EINVAL\n"
      "WATCH ~/|t| = EINVAL\n"
      "WATCH @releaseDomain/|t| = EINVAL\n"
      "UNWATCH ~/|t| = EINVAL\n"
      "DIRECTORY_PART ~/|0| = EINVAL\n"
      "READ ~| = -" },
    { "an empty path in each request",
      "READ | = EINVAL\n"
      "DIRECTORY | = EINVAL\n"
      "WRITE |v = EINVAL\n"
      "MKDIR | = EINVAL\n"
      "RM | = EINVAL\n"
      "GET_PERMS | = EINVAL\n"
      "SET_PERMS |n$| = EINVAL\n"
      "WATCH |t| = EINVAL\n"
      "UNWATCH |t| = EINVAL\n"
      "DIRECTORY_PART |0| = EINVAL" },
    { "the root",
      "READ /| = - / EACCES\n"
      "DIRECTORY /| = * / EACCES\n"
      "GET_PERMS /| = n0| / EACCES\n"
      "MKDIR /| = OK| / EACCES\n"
      "RM /| = EINVAL / EACCES\n"
      "WATCH /|t| = OK|\n"
      "events /:t" },
    { "special names are refused where they mean nothing",
      "READ @releaseDomain| = EINVAL\n"
      "DIRECTORY @releaseDomain| = EINVAL\n"
      "WRITE @releaseDomain|v = EINVAL\n"
      "MKDIR @releaseDomain| = EINVAL\n"
      "RM @releaseDomain| = EINVAL\n"
      "DIRECTORY_PART @releaseDomain|0| = EINVAL\n"
      "READ @| = EINVAL\n"
      "WRITE @x|v = EINVAL" },
    { "special names where they do",
      "GET_PERMS @releaseDomain| = n0|r32757|\n"
      "GET_PERMS @introduceDomain| = n0| / EACCES\n"
      "SET_PERMS @releaseDomain|n0|r32757| = OK| / EACCES\n"
      "GET_PERMS @other| = ENOENT / EACCES\n"
      "SET_PERMS @other|n0| = ENOENT / EACCES\n"
      "WATCH @other|t| = OK|\n"
      "events @other:t\n"
      "UNWATCH @other|t| = OK|" },
    { "an at sign inside a path is a character",
      "WRITE ~/@x|v = OK|\n"
      "READ ~/@x| = v\n"
      "DIRECTORY ~| = @x|" },
    { "relative paths begin at home",
      "WRITE &/a|v = OK|\n"
      "READ /local/domain/$/data/probe/a| = v\n"
      "WRITE ~/b|w = OK|\n"
      "READ &/b| = w\n"
      "DIRECTORY &| = a|b|\n"
      "GET_PERMS &| = n$|\n"
      "RM &/a| = OK|\n"
      "READ ~/a| = ENOENT" },
    { "each level of a path is its own name",
      "WRITE ~/ab|v = OK|\n"
      "READ ~/a| = ENOENT\n"
      "READ ~/abc| = ENOENT\n"
      "READ ~/AB| = ENOENT" },
    { "absolute paths of 3072 and 3073",
      "READ /{a*3071}| = ENOENT / EINVAL\n"
      "READ /{a*3072}| = EINVAL\n"
      "WATCH /{a*3071}|t| = OK| / EINVAL\n"
      "WATCH /{a*3072}|t| = EINVAL\n"
      "WRITE /{a*3072}|v = EINVAL\n"
      "MKDIR /{a*4090}| = EINVAL" },
    { "relative paths of 2048 and 2049",
      "READ {a*2048}| = ENOENT\n"
      "READ {a*2049}| = EINVAL\n"
      "READ {a*3072}| = EINVAL\n"
      "WATCH {a*2048}|t| = OK|\n"
      "WATCH {a*2049}|t| = EINVAL\n"
      "WRITE {a*2049}|v = EINVAL" },
    { "a home spelled out has a relative path's limit",
      "READ /local/domain/$/{a*2048}| = ENOENT\n"
      "READ /local/domain/$/{a*2049}| = EINVAL\n"
      "READ /local/domain/65535/{a*2049}| = EINVAL\n"
      "READ /local/domain/99999/{a*2049}| = EINVAL" },
    { "what only looks like a home has not",
      "READ /local/domain/x/{a*2500}| = ENOENT / EINVAL\n"
      "READ /local/domain/123456/{a*2500}| = ENOENT / EINVAL\n"
      "READ /local/Domain/1/{a*2500}| = ENOENT / EINVAL" },
    { "a special name's limit",
      "WATCH @{a*2047}|t| = OK|\n"
      "WATCH @{a*2048}|t| = EINVAL" },
};
/* clang-format on */

ROOM(paths);
