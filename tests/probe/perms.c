/* Permissions: their lists, and what they allow. */
#include "tests/probe/probe.h"

/* clang-format off */
static const struct probe probes[] = {
    { "GET_PERMS gives owner and entries",
      "WRITE ~/a|v = OK|\n"
      "GET_PERMS ~/a| = n$|\n"
      "SET_PERMS ~/a|r$|w0|b0|n0| = OK|\n"
      "GET_PERMS ~/a| = r$|w0|b0|n0|" },
    { "GET_PERMS and SET_PERMS of what is not there",
      "GET_PERMS ~/a| = ENOENT\n"
      "SET_PERMS ~/a|n$| = ENOENT" },
    { "SET_PERMS without a list",
      "SET_PERMS ~| = EINVAL" },
    { "SET_PERMS with a bad letter",
      "SET_PERMS ~|x$| = EINVAL\n"
      "SET_PERMS ~|N$| = EINVAL\n"
      "SET_PERMS ~|$| = EINVAL\n"
      "SET_PERMS ~|rw$| = EINVAL\n"
      "SET_PERMS ~|n$|x0| = EINVAL\n"
      "SET_PERMS ~|n$|| = EINVAL\n"
      "GET_PERMS ~| = n$|" },
    { "SET_PERMS with a bad number",
      "SET_PERMS ~|n| = EINVAL\n"
      "SET_PERMS ~|n$x| = EINVAL\n"
      "SET_PERMS ~|n-1| = EINVAL\n"
      "SET_PERMS ~|n$|r| = EINVAL\n"
      "SET_PERMS ~|n$|r0 | = EINVAL" },
    { "SET_PERMS with an owner that is unknown",
      "SET_PERMS ~|n50| = ENOENT\n"
      "SET_PERMS ~|n50|r$| = ENOENT\n"
      "SET_PERMS ~|n70000| = ENOENT\n"
      "GET_PERMS ~| = n$|" },
    { "SET_PERMS with an entry that is unknown",
      "SET_PERMS ~|n$|r50| = OK|\n"
      "GET_PERMS ~| = n$|r50|" },
    { "SET_PERMS of another's owner", /* owner 0, by a guest: not his */
      "SET_PERMS ~|n0| = OK| / EPERM\n"
      "root GET_PERMS ~| = *" },
    { "SET_PERMS of more than five",
      "SET_PERMS ~|n$|r0|r0|r0|r0| = OK|\n"
      "SET_PERMS ~|n$|r0|r0|r0|r0|r0| = OK| / ENOSPC\n"
      "root SET_PERMS ~|n$|r0|r0|r0|r0|r0|r0| = OK|" },
    { "SET_PERMS keeps value and children",
      "WRITE ~/a|v = OK|\n"
      "WRITE ~/a/k|w = OK|\n"
      "SET_PERMS ~/a|n$|r0| = OK|\n"
      "READ ~/a| = v\n"
      "DIRECTORY ~/a| = k|\n"
      "GET_PERMS ~/a/k| = n$|" },
    { "SET_PERMS fires, changed or not",
      "WRITE ~/a|v = OK|\n"
      "WATCH ~|t| = OK|\n"
      "events ~:t\n"
      "SET_PERMS ~/a|n$|r0| = OK|\n"
      "events ~/a:t\n"
      "SET_PERMS ~/a|n$|r0| = OK|\n"
      "events ~/a:t" },
    { "a new node has its parent's list",
      "SET_PERMS ~|n$|r0|w0| = OK|\n"
      "WRITE ~/a/b|v = OK|\n"
      "MKDIR ~/c| = OK|\n"
      "GET_PERMS ~/a| = n$|r0|w0|\n"
      "GET_PERMS ~/a/b| = n$|r0|w0|\n"
      "GET_PERMS ~/c| = n$|r0|w0|" },
    { "a guest owns what it creates elsewhere",
      "root MKDIR ~/o| = OK|\n"
      "root SET_PERMS ~/o|n0|b$| = OK|\n"
      "MKDIR ~/o/k| = OK|\n"
      "WRITE ~/o/l/m|v = OK|\n"
      "GET_PERMS ~/o/k| = n$|b$|\n"
      "GET_PERMS ~/o/l| = n$|b$|\n"
      "GET_PERMS ~/o/l/m| = n$|b$|" },
    { "domain 0 creates for the parent's owner",
      "root WRITE ~/a/b|v = OK|\n"
      "GET_PERMS ~/a/b| = n$|" },
    { "the owner may do everything",
      "WRITE ~/a|v = OK|\n"
      "SET_PERMS ~/a|n$| = OK|\n"
      "READ ~/a| = v\n"
      "WRITE ~/a|w = OK|\n"
      "SET_PERMS ~/a|n$|n$| = OK|\n"
      "READ ~/a| = w\n"
      "RM ~/a| = OK|" },
    { "domain 0 may do everything",
      "WRITE ~/a|v = OK|\n"
      "SET_PERMS ~/a|n$|n0| = OK|\n"
      "root READ ~/a| = v\n"
      "root WRITE ~/a|w = OK|\n"
      "root SET_PERMS ~/a|n$| = OK|\n"
      "root RM ~/a| = OK|" },
    { "n: nothing",
      "root WRITE ~/a/k|v = OK|\n"
      "root SET_PERMS ~/a|n0| = OK|\n"
      "READ ~/a| = EACCES\n"
      "DIRECTORY ~/a| = EACCES\n"
      "DIRECTORY_PART ~/a|0| = EACCES\n"
      "GET_PERMS ~/a| = EACCES\n"
      "WRITE ~/a|w = EACCES\n"
      "MKDIR ~/a| = EACCES\n"
      "MKDIR ~/a/l| = EACCES\n"
      "RM ~/a| = EACCES\n"
      "SET_PERMS ~/a|n0| = EACCES\n"
      "READ ~/a/k| = v",
      AS_GUEST },
    { "r: READ, DIRECTORY, GET_PERMS",
      "root WRITE ~/a|v = OK|\n"
      "root SET_PERMS ~/a|n0|r$| = OK|\n"
      "READ ~/a| = v\n"
      "DIRECTORY ~/a| = -\n"
      "DIRECTORY_PART ~/a|0| = %||\n"
      "GET_PERMS ~/a| = n0|r$|\n"
      "WRITE ~/a|w = EACCES\n"
      "MKDIR ~/a| = EACCES\n"
      "MKDIR ~/a/k| = EACCES\n"
      "RM ~/a| = EACCES\n"
      "SET_PERMS ~/a|n0|r$| = EACCES",
      AS_GUEST },
    { "w: WRITE, MKDIR, RM",
      "root WRITE ~/a|v = OK|\n"
      "root SET_PERMS ~/a|n0|w$| = OK|\n"
      "READ ~/a| = EACCES\n"
      "DIRECTORY ~/a| = EACCES\n"
      "GET_PERMS ~/a| = EACCES\n"
      "WRITE ~/a|w = OK|\n"
      "MKDIR ~/a| = OK|\n"
      "MKDIR ~/a/k| = OK|\n"
      "SET_PERMS ~/a|n0|w$| = EACCES\n"
      "RM ~/a| = OK|",
      AS_GUEST },
    { "b: both, but not the list",
      "root WRITE ~/a|v = OK|\n"
      "root SET_PERMS ~/a|n0|b$| = OK|\n"
      "READ ~/a| = v\n"
      "WRITE ~/a|w = OK|\n"
      "SET_PERMS ~/a|n0|b$| = EACCES\n"
      "RM ~/a| = OK|",
      AS_GUEST },
    { "the owner's letter is for those who are not named",
      "root WRITE ~/a|v = OK|\n"
      "root SET_PERMS ~/a|r0| = OK|\n"
      "READ ~/a| = v\n"
      "WRITE ~/a|w = EACCES\n"
      "root SET_PERMS ~/a|w0| = OK|\n"
      "READ ~/a| = EACCES\n"
      "WRITE ~/a|w = OK|\n"
      "root SET_PERMS ~/a|b0|r50| = OK|\n"
      "READ ~/a| = w\n"
      "WRITE ~/a|v = OK|",
      AS_GUEST },
    { "an explicit n overrides the default",
      "root WRITE ~/a|v = OK|\n"
      "root SET_PERMS ~/a|b0|n$| = OK|\n"
      "READ ~/a| = EACCES\n"
      "WRITE ~/a|w = EACCES",
      AS_GUEST },
    { "the first entry that matches decides",
      "root WRITE ~/a|v = OK|\n"
      "root SET_PERMS ~/a|n0|r$|b$| = OK|\n"
      "READ ~/a| = v\n"
      "WRITE ~/a|w = EACCES\n"
      "root SET_PERMS ~/a|b0|n$|b$| = OK|\n"
      "READ ~/a| = EACCES",
      AS_GUEST },
    { "an entry for DOMID_ANY is for everybody",
      "root WRITE ~/a|v = OK|\n"
      "root SET_PERMS ~/a|n0|r32757| = OK|\n"
      "READ ~/a| = v\n"
      "WRITE ~/a|w = EACCES\n"
      "GET_PERMS ~/a| = n0|r32757|",
      AS_GUEST },
    { "permissions of ancestors do not matter",
      "root WRITE ~/a/b/c|v = OK|\n"
      "root SET_PERMS ~/a|n0| = OK|\n"
      "root SET_PERMS ~/a/b|n0| = OK|\n"
      "READ ~/a/b/c| = v\n"
      "WRITE ~/a/b/c|w = OK|\n"
      "RM ~/a/b/c| = OK|\n"
      "READ ~/a/b| = EACCES",
      AS_GUEST },
    { "RM removes children whatever their permissions",
      "root WRITE ~/a/k/l|v = OK|\n"
      "root SET_PERMS ~/a/k|n0| = OK|\n"
      "root SET_PERMS ~/a/k/l|n0| = OK|\n"
      "RM ~/a/k| = EACCES\n"
      "RM ~/a| = OK|\n"
      "root READ ~/a/k/l| = ENOENT",
      AS_GUEST },
    { "what is missing is judged by its nearest ancestor",
      "root WRITE ~/a|v = OK|\n"
      "root SET_PERMS ~/a|n0|r$| = OK|\n"
      "READ ~/a/x| = ENOENT\n"
      "READ ~/a/x/y| = ENOENT\n"
      "WRITE ~/a/x|v = EACCES\n"
      "WRITE ~/a/x/y|v = EACCES\n"
      "MKDIR ~/a/x| = EACCES\n"
      "RM ~/a/x| = EACCES\n"
      "root SET_PERMS ~/a|n0|w$| = OK|\n"
      "READ ~/a/x| = EACCES\n"
      "RM ~/a/x| = OK|\n"
      "RM ~/a/x/y| = ENOENT\n"
      "WRITE ~/a/x/y|v = OK|",
      AS_GUEST },
    { "special names have permissions",
      "root SET_PERMS @releaseDomain|n0|r$| = OK|\n"
      "root GET_PERMS @releaseDomain| = n0|r$|\n"
      "GET_PERMS @releaseDomain| = n0|r$|\n"
      "SET_PERMS @releaseDomain|n0|b$| = OK| / EACCES\n"
      "root SET_PERMS @releaseDomain|n0| = OK|\n"
      "GET_PERMS @releaseDomain| = n0| / EACCES\n"
      "root SET_PERMS @releaseDomain|n0|r32757| = OK|" },
};
/* clang-format on */

ROOM(perms);
