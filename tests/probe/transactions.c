/* Transactions: their numbers, their view, what conflicts. */
#include "tests/probe/probe.h"

/* clang-format off */
static const struct probe probes[] = {
    { "numbers begin with 1 on a connection",
      "renew\n"
      "TRANSACTION_START | = 1|\n"
      "TRANSACTION_START anything|else = 2|\n"
      "TRANSACTION_START = 3|",
      ON_SOCKET },
    { "numbers of ended ones are not given again at once",
      "renew\n"
      "TRANSACTION_START | = 1|\n"
      "TRANSACTION_END@1 F| = OK|\n"
      "TRANSACTION_START | = 2|",
      ON_SOCKET },
    { "one inside another is EBUSY",
      "begin a\n"
      "TRANSACTION_START@a | = EBUSY\n"
      "TRANSACTION_END@a T| = OK|" },
    { "END wants T or F",
      "begin a\n"
      "TRANSACTION_END@a X| = EINVAL\n"
      "TRANSACTION_END@a t| = EINVAL\n"
      "TRANSACTION_END@a T = EINVAL\n"
      "TRANSACTION_END@a TT| = EINVAL\n"
      "TRANSACTION_END@a T|| = EINVAL\n"
      "TRANSACTION_END@a | = EINVAL\n"
      "TRANSACTION_END@a = EINVAL\n"
      "TRANSACTION_END@a T| = OK|" },
    { "END without a transaction is ENOENT",
      "TRANSACTION_END T| = ENOENT\n"
      "TRANSACTION_END F| = ENOENT\n"
      "TRANSACTION_END X| = EINVAL" },
    { "a number is invalid after T",
      "begin a\n"
      "TRANSACTION_END@a T| = OK|\n"
      "TRANSACTION_END@a T| = ENOENT\n"
      "READ@a ~| = ENOENT" },
    { "a number is invalid after F",
      "begin a\n"
      "TRANSACTION_END@a F| = OK|\n"
      "READ@a ~| = ENOENT" },
    { "a number is invalid after a conflict",
      "begin a\n"
      "READ@a ~/a| = ENOENT\n"
      "WRITE@a ~/mine|v = OK|\n"
      "root WRITE ~/a|v = OK|\n"
      "TRANSACTION_END@a T| = EAGAIN\n"
      "READ@a ~| = ENOENT" },
    { "RESET_WATCHES drops them",
      "begin a\n"
      "begin b\n"
      "WRITE@a ~/a|v = OK|\n"
      "RESET_WATCHES@a | = OK|\n"
      "READ@a ~| = ENOENT\n"
      "READ@b ~| = ENOENT\n"
      "READ ~/a| = ENOENT" },
    { "nobody sees what is inside",
      "begin a\n"
      "WRITE@a ~/a|v = OK|\n"
      "READ@a ~/a| = v\n"
      "READ ~/a| = ENOENT\n"
      "root READ ~/a| = ENOENT\n"
      "TRANSACTION_END@a T| = OK|\n"
      "READ ~/a| = v" },
    { "F undoes everything",
      "WRITE ~/a|v = OK|\n"
      "begin a\n"
      "WRITE@a ~/a|w = OK|\n"
      "MKDIR@a ~/b| = OK|\n"
      "SET_PERMS@a ~/a|n$|r0| = OK|\n"
      "RM@a ~/a| = OK|\n"
      "TRANSACTION_END@a F| = OK|\n"
      "READ ~/a| = v\n"
      "GET_PERMS ~/a| = n$|\n"
      "DIRECTORY ~| = a|" },
    { "reads see a snapshot",
      "WRITE ~/a|old = OK|\n"
      "begin a\n"
      "root WRITE ~/a|new = OK|\n"
      "root MKDIR ~/b| = OK|\n"
      "READ@a ~/a| = old\n"
      "READ@a ~/b| = ENOENT\n"
      "DIRECTORY@a ~| = a|\n"
      "TRANSACTION_END@a F| = OK|\n"
      "READ ~/a| = new" },
    { "every kind of change is there after the commit",
      "WRITE ~/gone/k|v = OK|\n"
      "WRITE ~/kept|v = OK|\n"
      "begin a\n"
      "RM@a ~/gone| = OK|\n"
      "WRITE@a ~/kept|w = OK|\n"
      "MKDIR@a ~/dir/sub| = OK|\n"
      "SET_PERMS@a ~/kept|n$|r0| = OK|\n"
      "TRANSACTION_END@a T| = OK|\n"
      "DIRECTORY ~| = kept|dir|\n"
      "READ ~/kept| = w\n"
      "GET_PERMS ~/kept| = n$|r0|\n"
      "DIRECTORY ~/dir| = sub|" },
    { "two of one connection are apart",
      "begin a\n"
      "begin b\n"
      "WRITE@a ~/a|1 = OK|\n"
      "READ@b ~/a| = ENOENT\n"
      "TRANSACTION_END@b F| = OK|\n"
      "TRANSACTION_END@a T| = OK|\n"
      "READ ~/a| = 1" },
    { "an empty one commits",
      "begin a\n"
      "root WRITE ~/a|v = OK|\n"
      "TRANSACTION_END@a T| = OK|" },
    { "F succeeds in spite of conflicts",
      "begin a\n"
      "READ@a ~/a| = ENOENT\n"
      "root WRITE ~/a|v = OK|\n"
      "TRANSACTION_END@a F| = OK|" },
    { "conflict: a value that was read",
      "WRITE ~/a|v = OK|\n"
      "begin a\n"
      "READ@a ~/a| = v\n"
      "WRITE@a ~/mine|v = OK|\n"
      "root WRITE ~/a|w = OK|\n"
      "TRANSACTION_END@a T| = EAGAIN" },
    { "conflict: one's own write outside",
      "WRITE ~/a|v = OK|\n"
      "begin a\n"
      "READ@a ~/a| = v\n"
      "WRITE@a ~/mine|v = OK|\n"
      "WRITE ~/a|w = OK|\n"
      "TRANSACTION_END@a T| = EAGAIN" },
    { "conflict: a value that was written",
      "WRITE ~/a|v = OK|\n"
      "begin a\n"
      "WRITE@a ~/a|mine = OK|\n"
      "root WRITE ~/a|theirs = OK|\n"
      "TRANSACTION_END@a T| = EAGAIN\n"
      "READ ~/a| = theirs" },
    { "conflict: a list that was read",
      "begin a\n"
      "DIRECTORY@a ~| = -\n"
      "WRITE@a ~/mine|v = OK|\n"
      "root MKDIR ~/a| = OK|\n"
      "TRANSACTION_END@a T| = EAGAIN" },
    { "conflict: permissions that were read",
      "WRITE ~/a|v = OK|\n"
      "begin a\n"
      "GET_PERMS@a ~/a| = n$|\n"
      "WRITE@a ~/mine|v = OK|\n"
      "root SET_PERMS ~/a|n$|r0| = OK|\n"
      "TRANSACTION_END@a T| = EAGAIN" },
    { "conflict: what was missing is there",
      "begin a\n"
      "READ@a ~/a| = ENOENT\n"
      "WRITE@a ~/b|v = OK|\n"
      "root MKDIR ~/a| = OK|\n"
      "TRANSACTION_END@a T| = EAGAIN\n"
      "READ ~/b| = ENOENT" },
    { "conflict: what was read is gone",
      "WRITE ~/a|v = OK|\n"
      "begin a\n"
      "READ@a ~/a| = v\n"
      "WRITE@a ~/mine|v = OK|\n"
      "root RM ~/a| = OK|\n"
      "TRANSACTION_END@a T| = EAGAIN" },
    { "conflict: both create the same",
      "begin a\n"
      "WRITE@a ~/a|mine = OK|\n"
      "root WRITE ~/a|theirs = OK|\n"
      "TRANSACTION_END@a T| = EAGAIN\n"
      "READ ~/a| = theirs" },
    { "conflict: the parent is gone",
      "MKDIR ~/p| = OK|\n"
      "begin a\n"
      "WRITE@a ~/p/a|v = OK|\n"
      "root RM ~/p| = OK|\n"
      "TRANSACTION_END@a T| = EAGAIN\n"
      "READ ~/p| = ENOENT" },
    { "conflict: the parent's permissions, of what is created",
      "MKDIR ~/p| = OK|\n"
      "begin a\n"
      "WRITE@a ~/p/a|v = OK|\n"
      "root SET_PERMS ~/p|n$|r0| = OK|\n"
      "TRANSACTION_END@a T| = EAGAIN" },
    { "conflict: something below what is removed",
      "MKDIR ~/p| = OK|\n"
      "begin a\n"
      "RM@a ~/p| = OK|\n"
      "root WRITE ~/p/a|v = OK|\n"
      "TRANSACTION_END@a T| = EAGAIN\n"
      "READ ~/p/a| = v" },
    { "conflict: between two transactions",
      "WRITE ~/a|v = OK|\n"
      "begin a\n"
      "root begin b\n"
      "READ@a ~/a| = v\n"
      "root READ@b ~/a| = v\n"
      "WRITE@a ~/a|1 = OK|\n"
      "root WRITE@b ~/a|2 = OK|\n"
      "TRANSACTION_END@a T| = OK|\n"
      "root TRANSACTION_END@b T| = EAGAIN\n"
      "READ ~/a| = 1" },
    { "no conflict: one that only read",
      "WRITE ~/a|v = OK|\n"
      "begin a\n"
      "READ@a ~/a| = v\n"
      "DIRECTORY@a ~| = a|\n"
      "READ@a ~/b| = ENOENT\n"
      "root WRITE ~/a|w = OK|\n"
      "root WRITE ~/b|w = OK|\n"
      "TRANSACTION_END@a T| = OK|" },
    { "no conflict: unrelated writes",
      "WRITE ~/a|v = OK|\n"
      "WRITE ~/b|v = OK|\n"
      "begin a\n"
      "READ@a ~/a| = v\n"
      "WRITE@a ~/a|w = OK|\n"
      "root WRITE ~/b|w = OK|\n"
      "root WRITE ~/c/d|w = OK|\n"
      "TRANSACTION_END@a T| = OK|\n"
      "READ ~/a| = w\n"
      "READ ~/c/d| = w" },
    { "no conflict: two creates under one parent",
      "MKDIR ~/p| = OK|\n"
      "begin a\n"
      "WRITE@a ~/p/a|v = OK|\n"
      "root WRITE ~/p/b|w = OK|\n"
      "TRANSACTION_END@a T| = OK|\n"
      "DIRECTORY ~/p| = b|a|" },
    { "no conflict: two removals under one parent",
      "MKDIR ~/p/a| = OK|\n"
      "MKDIR ~/p/b| = OK|\n"
      "begin a\n"
      "RM@a ~/p/a| = OK|\n"
      "root RM ~/p/b| = OK|\n"
      "TRANSACTION_END@a T| = OK|\n"
      "DIRECTORY ~/p| = -" },
    { "a request that fails inside does no harm",
      "begin a\n"
      "READ@a ~/none| = ENOENT\n"
      "WRITE@a ~/.|v = EINVAL\n"
      "RM@a ~/x/y| = ENOENT\n"
      "WRITE@a ~/a|v = OK|\n"
      "TRANSACTION_END@a T| = OK|\n"
      "READ ~/a| = v" },
    { "what a quota refuses inside is not done, and the rest is",
      "begin a\n"
      "WRITE@a ~/a|v = OK|\n"
      "WRITE@a ~/b|{x*2500} = ENOSPC\n"
      "TRANSACTION_END@a T| = OK|\n"
      "READ ~/a| = v\n"
      "READ ~/b| = ENOENT",
      AS_GUEST },
    { "a transaction that deletes is accounted once",
      "repeat 5 WRITE ~/d/#|v = OK|\n"
      "begin a\n"
      "RM@a ~/d| = OK|\n"
      "WRITE@a ~/d/x|v = OK|\n"
      "RM@a ~/d| = OK|\n"
      "TRANSACTION_END@a T| = OK|\n"
      "begin a\n"
      "RM@a ~/none| = OK|\n"
      "TRANSACTION_END@a T| = OK|\n"
      "root CONTROL check| = OK|" },
    { "deleted inside and outside",
      "WRITE ~/d/x|v = OK|\n"
      "begin a\n"
      "RM@a ~/d| = OK|\n"
      "root RM ~/d| = OK|\n"
      "TRANSACTION_END@a T| = EAGAIN\n"
      "root CONTROL check| = OK|" },
    { "a second try after a conflict succeeds",
      "WRITE ~/n|0 = OK|\n"
      "begin a\n"
      "begin b\n"
      "READ@a ~/n| = 0\n"
      "READ@b ~/n| = 0\n"
      "WRITE@a ~/n|1 = OK|\n"
      "WRITE@b ~/n|1 = OK|\n"
      "TRANSACTION_END@a T| = OK|\n"
      "TRANSACTION_END@b T| = EAGAIN\n"
      "begin b\n"
      "READ@b ~/n| = 1\n"
      "WRITE@b ~/n|2 = OK|\n"
      "TRANSACTION_END@b T| = OK|\n"
      "READ ~/n| = 2" },
};
/* clang-format on */

ROOM(transactions);
