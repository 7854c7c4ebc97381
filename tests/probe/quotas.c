/* What a guest may use; domain 0 is exempt. */
#include "tests/probe/probe.h"

/* clang-format off */
static const struct probe probes[] = {
    { "nodes: counted on WRITE and MKDIR, kept by SET_PERMS",
      "root SET_QUOTA $|node-size|0| = OK|\n"
      "root SET_QUOTA $|nodes|40| = OK|\n"
      "repeat 15 WRITE ~/w#|v = OK|\n"
      "repeat 10 MKDIR ~/m#| = OK|\n"
      "repeat 10 SET_PERMS ~/m#|n$|r0| = OK|\n"
      "root SET_QUOTA $|nodes|20| = OK|\n"
      "WRITE ~/more|v = ENOSPC\n"
      "MKDIR ~/more| = ENOSPC\n"
      "WRITE ~/a/b/c|v = ENOSPC\n"
      "WRITE ~/w0|other = OK|\n"
      "root WRITE ~/more|v = OK|\n"
      "READ ~/a| = ENOENT\n"
      "root SET_QUOTA $|nodes|1000| = OK|\n"
      "WRITE ~/again|v = OK|\n"
      "root SET_QUOTA $|node-size|2048| = OK|\n"
      "root CONTROL check| = OK|",
      AS_GUEST },
    { "nodes: none limits domain 0",
      "root SET_QUOTA 0|nodes|1| = OK|\n"
      "repeat 30 WRITE ~/#|v = OK|\n"
      "root SET_QUOTA 0|nodes|1000| = OK|",
      ON_SOCKET },
    { "nodes: a thousand",
      "root SET_QUOTA $|node-size|0| = OK|\n"
      "repeat 900 MKDIR ~/#| = OK|\n"
      "repeat 30 MKDIR ~/x/y#/z| = OK|\n"
      "root CONTROL check| = OK|\n"
      "RM ~/x| = OK|\n"
      "root SET_QUOTA $|node-size|2048| = OK|",
      AS_GUEST },
    { "watches: 128",
      "repeat 128 WATCH ~/#|t| = OK|\n"
      "WATCH ~/more|t| = OK| / ENOSPC\n"
      "UNWATCH ~/7|t| = OK|\n"
      "WATCH ~/again|t| = OK|\n"
      "RESET_WATCHES | = OK|\n"
      "repeat 128 WATCH ~/#|t| = OK|" },
    { "transactions: 10",
      "repeat 10 TRANSACTION_START | = %|\n"
      "TRANSACTION_START | = %| / ENOSPC\n"
      "RESET_WATCHES | = OK|\n"
      "repeat 10 TRANSACTION_START | = %|" },
    { "nodes of a transaction: 1024",
      "begin a\n"
      "repeat 1023 READ@a ~/#| = ENOENT\n" /* and the directory */
      "READ@a ~/more| = ENOENT / ENOSPC\n"
      "READ@a ~/7| = ENOENT\n"
      "TRANSACTION_END@a T| = OK| / ENOMEM" },
    { "node size: value and permissions",
      "WRITE ~/a|{x*2040} = OK|\n"
      "WRITE ~/a|{x*2041} = OK| / ENOSPC\n"
      "WRITE ~/a|{x*2040} = OK|\n"
      "SET_PERMS ~/a|n$|r0| = OK| / ENOSPC\n"
      "WRITE ~/b|{x*3000} = OK| / ENOSPC\n"
      "READ ~/b| = {x*3000} / ENOENT" },
    { "node size: the list of children",
      "repeat 16 MKDIR ~/d/{n*125}#| = OK| / *\n"
      "MKDIR ~/d/{m*127}| = OK| / ENOSPC" },
    { "permissions of a node: 5",
      "SET_PERMS ~|n$|r0|r0|r0|r0| = OK|\n"
      "SET_PERMS ~|n$|r0|r0|r0|r0|r0| = OK| / ENOSPC" },
    { "path: 2048, and what is set",
      "READ &/{a*2037}| = ENOENT\n"
      "READ &/{a*2038}| = EINVAL\n"
      "root SET_QUOTA $|path-max|20| = OK|\n"
      "READ &/a| = ENOENT\n"
      "READ &/123456789| = ENOENT\n"
      "READ &/1234567890| = ENOENT / EINVAL\n"
      "WATCH &/1234567890|t| = OK| / EINVAL\n"
      "root SET_QUOTA $|path-max|2048| = OK|" },
    { "outstanding: more requests than replies that fit are all answered",
      "pipeline 50 GET_DOMAIN_PATH 1| = /local/domain/1|" },
    { "memory: over it nothing is made, and some can be freed",
      "WRITE ~/x|v = OK|\n"
      "WATCH ~/w|t| = OK|\n"
      "events ~/w:t\n"
      "root SET_QUOTA $|memory|64| = OK|\n"
      "READ ~/x| = v\n"
      "WRITE ~/y|v = ENOSPC\n"
      "MKDIR ~/y| = ENOSPC\n"
      "WRITE ~/x|longer = ENOSPC\n"
      "WATCH ~/v|t| = ENOSPC\n"
      "TRANSACTION_START | = ENOSPC\n"
      "RM ~/x| = OK|\n"
      "UNWATCH ~/w|t| = OK|\n"
      "root SET_QUOTA $|memory|2621440| = OK|\n"
      "WRITE ~/y|v = OK|",
      AS_GUEST },
    { "writes while others have transactions are slowed down, not refused",
      "root begin a\n"
      "root READ@a ~| = -\n"
      "repeat 30 WRITE ~/a|v = OK|\n"
      "root TRANSACTION_END@a F| = OK|" },
};
/* clang-format on */

ROOM(quotas);
