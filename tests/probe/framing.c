/* Headers, lengths, dispatch, transaction numbers. */
#include "tests/probe/probe.h"

/* clang-format off */
static const struct probe probes[] = {
    { "nodes: an empty payload is answered",
      "DIRECTORY = EINVAL\n"
      "READ = EINVAL\n"
      "GET_PERMS = EINVAL\n"
      "WRITE = EINVAL\n"
      "MKDIR = EINVAL\n"
      "RM = EINVAL\n"
      "SET_PERMS = EINVAL\n"
      "DIRECTORY_PART = EINVAL" },
    { "session: an empty payload is answered",
      "WATCH = EINVAL\n"
      "UNWATCH = EINVAL\n"
      "TRANSACTION_START = %|\n"
      "TRANSACTION_END = EINVAL\n"
      "RESET_WATCHES = OK|\n"
      "GET_DOMAIN_PATH = EINVAL\n"
      "GET_FEATURE = 15|" },
    { "privileged: an empty payload is answered",
      "CONTROL = EINVAL / EACCES\n"
      "INTRODUCE = EINVAL / EACCES\n"
      "RELEASE = EINVAL / EACCES\n"
      "RESUME = EINVAL / EACCES\n"
      "SET_TARGET = EINVAL / EACCES\n"
      "IS_DOMAIN_INTRODUCED = EINVAL / EACCES\n"
      "SET_FEATURE = EINVAL / EACCES\n"
      "SET_QUOTA = EINVAL / EACCES\n"
      "GET_QUOTA = * / EACCES" },
    { "types that no client may send",
      "15 ~|t| = ENOSYS\n"
      "16 EINVAL| = ENOSYS\n"
      "20 | = ENOSYS" },
    { "types that do not exist",
      "27 | = ENOSYS\n"
      "28 = ENOSYS\n"
      "128 ~| = ENOSYS\n"
      "65535 ~| = ENOSYS\n"
      "65538 ~| = ENOSYS\n"
      "2147483648 = ENOSYS\n"
      "4294967295 {x*4096} = ENOSYS" },
    { "an unknown type in an unknown transaction",
      "99@77 | = ENOSYS" },
    { "one argument: its NUL is missing",
      "DIRECTORY ~ = EINVAL\n"
      "READ ~ = EINVAL\n"
      "GET_PERMS ~ = EINVAL\n"
      "MKDIR ~ = EINVAL\n"
      "RM ~ = EINVAL\n"
      "GET_DOMAIN_PATH 0 = EINVAL" },
    { "one argument: a NUL too many",
      "DIRECTORY ~|| = EINVAL\n"
      "READ ~|| = EINVAL\n"
      "GET_PERMS ~|| = EINVAL\n"
      "MKDIR ~|| = EINVAL\n"
      "RM ~|| = EINVAL\n"
      "GET_DOMAIN_PATH 0|| = EINVAL" },
    { "one argument: a second one",
      "DIRECTORY ~|x| = EINVAL\n"
      "READ ~|x| = EINVAL\n"
      "READ ~|x = EINVAL\n"
      "GET_PERMS ~|x| = EINVAL\n"
      "MKDIR ~|x| = EINVAL\n"
      "RM ~|x| = EINVAL\n"
      "GET_DOMAIN_PATH 0|x| = EINVAL" },
    { "one argument: domains",
      "RELEASE 50 = EINVAL / EACCES\n"
      "RELEASE 50|| = EINVAL / EACCES\n"
      "RELEASE 50|x| = EINVAL / EACCES\n"
      "RESUME 50 = EINVAL / EACCES\n"
      "RESUME 50|x| = EINVAL / EACCES\n"
      "IS_DOMAIN_INTRODUCED 50 = EINVAL / EACCES\n"
      "IS_DOMAIN_INTRODUCED 50|| = EINVAL / EACCES" },
    { "more arguments: one is missing",
      "WATCH ~| = EINVAL\n"
      "WATCH ~|t = EINVAL\n"
      "UNWATCH ~| = EINVAL\n"
      "UNWATCH ~|t = EINVAL\n"
      "SET_PERMS ~| = EINVAL\n"
      "SET_PERMS ~|n$ = EINVAL\n"
      "DIRECTORY_PART ~| = EINVAL\n"
      "DIRECTORY_PART ~|0 = EINVAL\n"
      "WRITE ~ = EINVAL\n"
      "SET_TARGET 50| = EINVAL / EACCES\n"
      "SET_TARGET 50|51 = EINVAL / EACCES\n"
      "INTRODUCE 50|1| = EINVAL / EACCES\n"
      "INTRODUCE 50|1|7 = EINVAL / EACCES" },
    { "more arguments: bytes behind the last NUL are ignored",
      "WATCH ~|t|junk = OK|\n"
      "events ~:t\n"
      "UNWATCH ~|t|junk = OK|\n"
      "SET_PERMS ~|n$|r0 = OK|\n"
      "GET_PERMS ~| = n$|\n"
      "DIRECTORY_PART ~|0|junk = %||" },
    { "more arguments: one too many",
      "WATCH ~|t|0|0| = EINVAL\n"
      "UNWATCH ~|t|0| = EINVAL\n"
      "DIRECTORY_PART ~|0|0| = EINVAL" },
    { "an unknown transaction",
      "READ@77 ~| = ENOENT\n"
      "DIRECTORY@77 ~| = ENOENT\n"
      "GET_PERMS@77 ~| = ENOENT\n"
      "WRITE@77 ~/a|v = ENOENT\n"
      "MKDIR@77 ~/a| = ENOENT\n"
      "RM@77 ~/a| = ENOENT\n"
      "SET_PERMS@77 ~|n$| = ENOENT\n"
      "DIRECTORY_PART@77 ~|0| = ENOENT\n"
      "TRANSACTION_START@77 | = ENOENT\n"
      "TRANSACTION_END@77 T| = ENOENT\n"
      "TRANSACTION_END@77 X| = ENOENT\n"
      "RESET_WATCHES@77 | = ENOENT\n"
      "GET_DOMAIN_PATH@77 0| = ENOENT\n"
      "READ@4294967295 ~| = ENOENT\n"
      "READ ~/a| = ENOENT" },
    { "an unknown transaction in a privileged request",
      "CONTROL@77 help| = ENOENT / EACCES\n"
      "IS_DOMAIN_INTRODUCED@77 0| = ENOENT / EACCES\n"
      "RESUME@77 0| = ENOENT / EACCES\n"
      "RELEASE@77 0| = ENOENT / EACCES\n"
      "GET_QUOTA@77 = ENOENT / EACCES" },
    { "watches ignore the transaction",
      "WATCH@77 ~|t| = OK|\n"
      "events ~:t\n"
      "UNWATCH@77 ~|t| = OK|" },
    { "another connection's transaction",
      "root begin b\n"
      "READ@b ~| = ENOENT\n"
      "WRITE@b ~/a|v = ENOENT\n"
      "TRANSACTION_END@b T| = ENOENT\n"
      "root READ@b ~| = -\n"
      "root TRANSACTION_END@b T| = OK|" },
    { "a message that comes byte by byte",
      "trickle WRITE ~/a|value = OK|\n"
      "trickle READ ~/a| = value\n"
      "trickle READ ~/b| = ENOENT" },
    { "many messages at once, answered in order",
      "WRITE ~/a|v = OK|\n"
      "pipeline 15 READ ~/a| = v\n"
      "pipeline 40 GET_DOMAIN_PATH 7| = /local/domain/7|\n"
      "pipeline 40 99 = ENOSYS" },
    { "a full ring is valid",
      "pipeline 64 99 = ENOSYS" }, /* 64 * 16 bytes */
    { "a header of 4097 bytes ends the connection",
      "toolong 4097" },
    { "negative and huge lengths end the connection",
      "toolong 2147483648\n"
      "toolong 4294967295\n"
      "toolong 4294967280\n"
      "toolong 65536" },
    { "what came before such a header is answered",
      "WRITE ~/a|v = OK|\n"
      "toolong 4097 READ ~/a| = v",
      ON_SOCKET },
    { "what goes with a connection that is ended",
      "WATCH ~|t| = OK|\n"
      "begin a\n"
      "WRITE@a ~/a|v = OK|\n"
      "toolong 4097\n"
      "UNWATCH ~|t| = ENOENT\n"
      "TRANSACTION_END@a T| = ENOENT\n"
      "READ ~/a| = ENOENT\n"
      "root WRITE ~/b|v = OK|\n"
      "events -" },
    { "a guest whose ring is ignored stays introduced",
      "toolong 5000\n"
      "root IS_DOMAIN_INTRODUCED $| = T|" },
    { "a new connection begins empty",
      "WATCH ~|t| = OK|\n"
      "begin a\n"
      "renew\n"
      "UNWATCH ~|t| = ENOENT\n"
      "READ@a ~| = ENOENT\n"
      "TRANSACTION_START | = %|\n"
      "events -" },
    { "a payload of 4096 bytes",
      "WRITE &/x|{x*4083} = OK| / ENOSPC\n"
      "READ ~/x| = {x*4083} / ENOENT\n"
      "READ {x*4096} = EINVAL\n"
      "GET_PERMS {|*4096} = EINVAL" },
    { "a reply over 4096 bytes is E2BIG",
      "root repeat 45 MKDIR ~/d/{n*90}#| = OK|\n"
      "DIRECTORY ~/d| = E2BIG\n"
      "DIRECTORY_PART ~/d|0| = *" },
    { "an event over 4096 bytes is dropped",
      "WATCH &|{t*3000}| = OK|\n"
      "events &:{t*3000}\n"
      "root WRITE ~/{a*1500}| = OK|\n"
      "events -\n"
      "root WRITE ~/a| = OK|\n"
      "events &/a:{t*3000}" },
};
/* clang-format on */

ROOM(framing);
