/* What a guest must not see, and other ways in which stores have failed. */
#include "tests/probe/probe.h"

/* clang-format off */
static const struct probe probes[] = {
    { "no event of a node that it may not read",
      "root WRITE ~/s/hidden|v = OK|\n"
      "root SET_PERMS ~/s|n0| = OK|\n"
      "root SET_PERMS ~/s/hidden|n0| = OK|\n"
      "WATCH ~|t| = OK|\n"
      "WATCH ~/s/hidden|u| = OK|\n"
      "events ~:t ~/s/hidden:u\n"
      "root WRITE ~/s/hidden|w = OK|\n"
      "root WRITE ~/s/hidden/k|w = OK|\n"
      "root RM ~/s/hidden| = OK|\n"
      "events -",
      AS_GUEST },
    { "an event of a node whose parent it may read",
      "root WRITE ~/s/k|v = OK|\n"
      "root SET_PERMS ~/s|n0|r$| = OK|\n"
      "root SET_PERMS ~/s/k|n0| = OK|\n"
      "WATCH ~/s|t| = OK|\n"
      "events ~/s:t\n"
      "root WRITE ~/s/k|w = OK|\n"
      "events ~/s/k:t\n"
      "root RM ~/s/k| = OK|\n"
      "events ~/s/k:t",
      AS_GUEST },
    { "an event of a removal is judged before it",
      "root WRITE ~/s/k|v = OK|\n"
      "root SET_PERMS ~/s/k|n0|r$| = OK|\n"
      "root SET_PERMS ~/s|n0| = OK|\n"
      "WATCH ~/s/k|t| = OK|\n"
      "events ~/s/k:t\n"
      "root RM ~/s| = OK|\n"
      "events ~/s/k:t",
      AS_GUEST },
    { "an event of new permissions is judged by the old ones",
      "root WRITE ~/s/k|v = OK|\n"
      "root SET_PERMS ~/s|n0| = OK|\n"
      "root SET_PERMS ~/s/k|n0|r$| = OK|\n"
      "WATCH ~/s/k|t| = OK|\n"
      "events ~/s/k:t\n"
      "root SET_PERMS ~/s/k|n0| = OK|\n"
      "events ~/s/k:t\n"
      "root WRITE ~/s/k|w = OK|\n"
      "events -",
      AS_GUEST },
    { "no hidden event of a transaction",
      "root WRITE ~/s/k|v = OK|\n"
      "root SET_PERMS ~/s|n0| = OK|\n"
      "root SET_PERMS ~/s/k|n0| = OK|\n"
      "WATCH ~|t| = OK|\n"
      "events ~:t\n"
      "root begin a\n"
      "root WRITE@a ~/s/k|w = OK|\n"
      "root WRITE@a ~/seen|w = OK|\n"
      "root TRANSACTION_END@a T| = OK|\n"
      "events ~/seen:t",
      AS_GUEST },
    { "initial events say nothing of existence",
      "root WRITE ~/s/k|v = OK|\n"
      "root SET_PERMS ~/s|n0| = OK|\n"
      "WATCH ~/s/k|t| = OK|\n"
      "WATCH ~/s/none|t| = OK|\n"
      "events ~/s/k:t ~/s/none:t",
      AS_GUEST },
    { "missing and hidden look alike",
      "root WRITE ~/s/k|v = OK|\n"
      "root SET_PERMS ~/s|n0| = OK|\n"
      "root SET_PERMS ~/s/k|n0| = OK|\n"
      "READ ~/s/k| = EACCES\n"
      "READ ~/s/none| = EACCES\n"
      "READ ~/s/k/none| = EACCES\n"
      "DIRECTORY ~/s/k| = EACCES\n"
      "DIRECTORY ~/s/none| = EACCES\n"
      "DIRECTORY_PART ~/s/k|0| = EACCES\n"
      "DIRECTORY_PART ~/s/none|0| = EACCES\n"
      "WRITE ~/s/k|v = EACCES\n"
      "WRITE ~/s/none|v = EACCES\n"
      "MKDIR ~/s/k| = EACCES\n"
      "MKDIR ~/s/none| = EACCES\n"
      "RM ~/s/k| = EACCES\n"
      "RM ~/s/none| = EACCES\n"
      "RM ~/s/none/none| = EACCES\n"
      "GET_PERMS ~/s/k| = EACCES\n"
      "GET_PERMS ~/s/none| = EACCES\n"
      "SET_PERMS ~/s/k|n$| = EACCES\n"
      "SET_PERMS ~/s/none|n$| = EACCES",
      AS_GUEST },
    { "missing and hidden look alike in a transaction",
      "root WRITE ~/s/k|v = OK|\n"
      "root SET_PERMS ~/s|n0| = OK|\n"
      "root SET_PERMS ~/s/k|n0| = OK|\n"
      "begin a\n"
      "READ@a ~/s/k| = EACCES\n"
      "READ@a ~/s/none| = EACCES\n"
      "RM@a ~/s/none| = EACCES\n"
      "TRANSACTION_END@a T| = OK|",
      AS_GUEST },
    { "homes of others are closed",
      "READ /local/domain/0| = EACCES\n"
      "WRITE /local/domain/0/x|v = EACCES\n"
      "WRITE /local/domain/50/x|v = EACCES\n"
      "WRITE /x|v = EACCES\n"
      "MKDIR /tool/x| = EACCES\n"
      "RM /local| = EACCES\n"
      "RM /local/domain/$| = EACCES\n"
      "SET_PERMS /|n$| = EACCES",
      AS_GUEST },
    { "a watch on everything hears nothing of others",
      "WATCH /|t| = OK|\n"
      "events /:t\n"
      "root WRITE /probe/secret|v = OK|\n"
      "root SET_PERMS /probe/secret|n0|r50| = OK|\n"
      "root RM /probe| = OK|\n"
      "events -",
      AS_GUEST },
    { "special events are for those who may read the name",
      "WATCH @releaseDomain|t| = OK|\n"
      "events @releaseDomain:t\n"
      "root RESUME $| = OK|\n"
      "events -",
      AS_GUEST },
    { "a deep tree",
      "root SET_QUOTA $|nodes|0| = OK|\n"
      "MKDIR ~/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a"
      "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a| "
      "= OK|\n"
      "WATCH ~|t| = OK|\n"
      "events ~:t\n"
      "RM ~/a| = OK|\n"
      "events ~/a:t\n"
      "root SET_QUOTA $|nodes|1000| = OK|" },
    { "RESET_WATCHES among many",
      "repeat 100 WATCH ~/#|t| = OK|\n"
      "begin a\n"
      "repeat 20 WRITE@a ~/#|v = OK|\n"
      "RESET_WATCHES@a | = OK|\n"
      "WRITE ~/7|v = OK|\n"
      "RESET_WATCHES | = OK|\n"
      "TRANSACTION_END@a T| = ENOENT" },
    { "the same event twice, unread, is one",
      "WATCH ~|t| = OK|\n"
      "events ~:t\n"
      "root begin a\n"
      "root WRITE@a ~/x|1 = OK|\n"
      "root WRITE@a ~/x|2 = OK|\n"
      "root TRANSACTION_END@a T| = OK|\n"
      "events ~/x:t" },
};
/* clang-format on */

ROOM(guests);
