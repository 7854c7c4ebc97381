/* Watches and their events. */
#include "tests/probe/probe.h"

/* clang-format off */
static const struct probe probes[] = {
    { "WATCH: the path need not exist, one initial event",
      "WATCH ~/none|tok| = OK|\n"
      "events ~/none:tok\n"
      "events -" },
    { "WATCH twice is EEXIST",
      "WATCH ~/a|t| = OK|\n"
      "WATCH ~/a|t| = EEXIST\n"
      "WATCH &/a|t| = EEXIST\n"
      "WATCH ~/a|u| = OK|\n"
      "WATCH ~/b|t| = OK|\n"
      "events ~/a:t ~/a:u ~/b:t" },
    { "UNWATCH of what is not watched is ENOENT",
      "UNWATCH ~/a|t| = ENOENT\n"
      "WATCH ~/a|t| = OK|\n"
      "UNWATCH ~/a|u| = ENOENT\n"
      "UNWATCH ~/b|t| = ENOENT\n"
      "UNWATCH &/a|t| = OK|\n"
      "UNWATCH ~/a|t| = ENOENT" },
    { "another's watch is another's",
      "root WATCH ~/a|t| = OK|\n"
      "root events ~/a:t\n"
      "UNWATCH ~/a|t| = ENOENT\n"
      "WATCH ~/a|t| = OK|\n"
      "events ~/a:t\n"
      "RESET_WATCHES | = OK|\n"
      "WRITE ~/a|v = OK|\n"
      "events -\n"
      "root events ~/a:t" },
    { "an empty token",
      "WATCH ~/a|| = OK|\n"
      "events ~/a:\n"
      "UNWATCH ~/a|| = OK|" },
    { "no event after UNWATCH",
      "WATCH ~/a|t| = OK|\n"
      "events ~/a:t\n"
      "UNWATCH ~/a|t| = OK|\n"
      "WRITE ~/a|v = OK|\n"
      "events -" },
    { "a write fires, of the same value too",
      "WATCH ~/a|t| = OK|\n"
      "events ~/a:t\n"
      "WRITE ~/a|v = OK|\n"
      "events ~/a:t\n"
      "WRITE ~/a|v = OK|\n"
      "events ~/a:t" },
    { "another's write fires",
      "WATCH ~|t| = OK|\n"
      "events ~:t\n"
      "root WRITE ~/a|v = OK|\n"
      "events ~/a:t\n"
      "root MKDIR ~/b| = OK|\n"
      "events ~/b:t\n"
      "root RM ~/b| = OK|\n"
      "events ~/b:t" },
    { "a read does not",
      "WRITE ~/a|v = OK|\n"
      "WATCH ~|t| = OK|\n"
      "events ~:t\n"
      "READ ~/a| = v\n"
      "DIRECTORY ~| = a|\n"
      "GET_PERMS ~/a| = n$|\n"
      "READ ~/b| = ENOENT\n"
      "events -" },
    { "creating missing parents fires for the leaf only",
      "WATCH ~|t| = OK|\n"
      "WATCH ~/a|u| = OK|\n"
      "WATCH ~/a/b|v| = OK|\n"
      "events ~:t ~/a:u ~/a/b:v\n"
      "WRITE ~/a/b/c|v = OK|\n"
      "events ~/a/b/c:t ~/a/b/c:u ~/a/b/c:v\n"
      "MKDIR ~/d/e| = OK|\n"
      "events ~/d/e:t" },
    { "a name that only begins alike",
      "WATCH ~/ab|t| = OK|\n"
      "events ~/ab:t\n"
      "WRITE ~/abc|v = OK|\n"
      "WRITE ~/a|v = OK|\n"
      "events -" },
    { "what is above or beside does not fire",
      "MKDIR ~/a/b| = OK|\n"
      "WATCH ~/a/b|t| = OK|\n"
      "events ~/a/b:t\n"
      "WRITE ~/a|v = OK|\n"
      "WRITE ~/a/c|v = OK|\n"
      "SET_PERMS ~/a|n$|r0| = OK|\n"
      "events -" },
    { "depth 0: the node only",
      "WATCH ~/a|t|0| = OK|\n"
      "events ~/a:t\n"
      "WRITE ~/a|v = OK|\n"
      "events ~/a:t\n"
      "WRITE ~/a/b|v = OK|\n"
      "events -\n"
      "UNWATCH ~/a|t| = OK|" },
    { "depth 1: children, too",
      "WATCH ~|t|1| = OK|\n"
      "events ~:t\n"
      "WRITE ~/a|v = OK|\n"
      "WRITE ~|v = OK|\n"
      "events ~/a:t ~:t\n"
      "WRITE ~/a/b|v = OK|\n"
      "events -" },
    { "a depth is a number",
      "WATCH ~|t|x| = EINVAL\n"
      "WATCH ~|t|-1| = EINVAL\n"
      "WATCH ~|t|| = EINVAL" },
    { "rm: one event for the root of what goes",
      "WRITE ~/a/b/c|v = OK|\n"
      "WATCH ~|t| = OK|\n"
      "WATCH ~/a|u| = OK|\n"
      "events ~:t ~/a:u\n"
      "RM ~/a| = OK|\n"
      "events ~/a:t ~/a:u" },
    { "rm: watches on descendants that exist get their own path",
      "WRITE ~/a/b/c|v = OK|\n"
      "WATCH ~/a/b|t| = OK|\n"
      "events ~/a/b:t\n"
      "RM ~/a| = OK|\n"
      "events ~/a/b:t" },
    { "rm: on descendants that do not, nothing",
      "WRITE ~/a/b|v = OK|\n"
      "WATCH ~/a/x|t| = OK|\n"
      "WATCH ~/a/b/c|t| = OK|\n"
      "events ~/a/x:t ~/a/b/c:t\n"
      "RM ~/a| = OK|\n"
      "events -" },
    { "rm: what is below goes first",
      "WRITE ~/a/b/c|v = OK|\n"
      "WRITE ~/a/d|v = OK|\n"
      "WATCH ~/a|1| = OK|\n"
      "WATCH ~/a/b/c|2| = OK|\n"
      "WATCH ~/a/b|3| = OK|\n"
      "WATCH ~/a/d|4| = OK|\n"
      "events ~/a:1 ~/a/b/c:2 ~/a/b:3 ~/a/d:4\n"
      "RM ~/a| = OK|\n"
      "events ~/a/b/c:2 ~/a/b:3 ~/a/d:4 ~/a:1" },
    { "rm: a watch that survives goes on",
      "WRITE ~/a/b|v = OK|\n"
      "WATCH ~/a/b|t| = OK|\n"
      "events ~/a/b:t\n"
      "RM ~/a| = OK|\n"
      "events ~/a/b:t\n"
      "WRITE ~/a/b|v = OK|\n"
      "events ~/a/b:t" },
    { "a relative watch gives relative paths",
      "WATCH &/a|t| = OK|\n"
      "events &/a:t\n"
      "WRITE ~/a/b|v = OK|\n"
      "events &/a/b:t\n"
      "RM ~/a| = OK|\n"
      "events &/a:t" },
    { "relative and absolute ones side by side",
      "WATCH &|rel| = OK|\n"
      "WATCH ~|abs| = OK|\n"
      "events &:rel ~:abs\n"
      "root WRITE ~/a|v = OK|\n"
      "events &/a:rel ~/a:abs" },
    { "RESET_WATCHES drops all",
      "WATCH ~|t| = OK|\n"
      "WATCH @releaseDomain|t| = OK|\n"
      "events ~:t @releaseDomain:t\n"
      "RESET_WATCHES anything|at|all = OK|\n"
      "WRITE ~/a|v = OK|\n"
      "events -\n"
      "UNWATCH ~|t| = ENOENT" },
    { "special names have an initial event",
      "WATCH @releaseDomain|t| = OK|\n"
      "WATCH @introduceDomain|t| = OK|\n"
      "WATCH @whatever/else|t| = OK|\n"
      "WATCH @releaseDomain|t| = EEXIST\n"
      "events @releaseDomain:t @introduceDomain:t @whatever/else:t" },
    { "a watch on the root sees no special event",
      "WATCH /|t| = OK|\n"
      "events /:t\n"
      "root SET_PERMS @releaseDomain|n0|r32757| = OK|\n"
      "events -" },
    { "a node with several watches of one connection",
      "WATCH ~/a|t| = OK|\n"
      "WATCH ~/a|u| = OK|\n"
      "events ~/a:t ~/a:u\n"
      "WRITE ~/a|v = OK|\n"
      "events ~/a:t ~/a:u" },
    { "one event, several watches: in the order in which they were set",
      "WATCH ~/a/b|1| = OK|\n"
      "WATCH ~|2| = OK|\n"
      "WATCH ~/a|3| = OK|\n"
      "WATCH &/a/b|4| = OK|\n"
      "events ~/a/b:1 ~:2 ~/a:3 &/a/b:4\n"
      "WRITE ~/a/b|v = OK|\n"
      "events ~/a/b:1 ~/a/b:2 ~/a/b:3 &/a/b:4" },
    { "in a transaction: nothing until the commit",
      "WATCH ~|t| = OK|\n"
      "events ~:t\n"
      "begin a\n"
      "WRITE@a ~/x|v = OK|\n"
      "events -\n"
      "TRANSACTION_END@a T| = OK|\n"
      "events ~/x:t" },
    { "in a transaction: nothing when it is given up",
      "WATCH ~|t| = OK|\n"
      "events ~:t\n"
      "begin a\n"
      "WRITE@a ~/x|v = OK|\n"
      "TRANSACTION_END@a F| = OK|\n"
      "events -" },
    { "in a transaction: once per path, in order of first touch",
      "WATCH ~|t| = OK|\n"
      "events ~:t\n"
      "begin a\n"
      "WRITE@a ~/b|1 = OK|\n"
      "WRITE@a ~/a|1 = OK|\n"
      "WRITE@a ~/b|2 = OK|\n"
      "SET_PERMS@a ~/a|n$|r0| = OK|\n"
      "TRANSACTION_END@a T| = OK|\n"
      "events ~/b:t ~/a:t" },
    { "in a transaction: what is created and deleted is nothing",
      "WATCH ~|t| = OK|\n"
      "events ~:t\n"
      "begin a\n"
      "WRITE@a ~/x/y|v = OK|\n"
      "RM@a ~/x| = OK|\n"
      "TRANSACTION_END@a T| = OK|\n"
      "events -" },
    { "in a transaction: rm tells descendants",
      "WRITE ~/a/b|v = OK|\n"
      "WATCH ~/a/b|t| = OK|\n"
      "WATCH ~/a/x|t| = OK|\n"
      "events ~/a/b:t ~/a/x:t\n"
      "begin a\n"
      "RM@a ~/a| = OK|\n"
      "TRANSACTION_END@a T| = OK|\n"
      "events ~/a/b:t" },
    { "in a transaction: none when it conflicts",
      "WRITE ~/a|v = OK|\n"
      "WATCH ~/b|t| = OK|\n"
      "events ~/b:t\n"
      "begin a\n"
      "READ@a ~/a| = v\n"
      "WRITE@a ~/b|v = OK|\n"
      "root WRITE ~/a|w = OK|\n"
      "TRANSACTION_END@a T| = EAGAIN\n"
      "events -" },
};
/* clang-format on */

ROOM(watches);
