/* Requests about nodes and their children. */
#include "tests/probe/probe.h"

/* clang-format off */
static const struct probe probes[] = {
    { "READ gives the value as it is",
      "WRITE ~/a|hello = OK|\n"
      "READ ~/a| = hello\n"
      "WRITE ~/a|x|y| = OK|\n"
      "READ ~/a| = x|y|\n"
      "WRITE ~/a|\\x01\\xff = OK|\n"
      "READ ~/a| = \\x01\\xff" },
    { "READ of an empty value",
      "WRITE ~/a| = OK|\n"
      "READ ~/a| = -" },
    { "READ of what is not there",
      "READ ~/a| = ENOENT\n"
      "READ ~/a/b/c| = ENOENT" },
    { "WRITE replaces the value",
      "WRITE ~/a|long value = OK|\n"
      "WRITE ~/a|short = OK|\n"
      "READ ~/a| = short" },
    { "WRITE creates missing parents, empty",
      "WRITE ~/a/b/c|v = OK|\n"
      "READ ~/a| = -\n"
      "READ ~/a/b| = -\n"
      "READ ~/a/b/c| = v\n"
      "DIRECTORY ~/a| = b|" },
    { "WRITE keeps children and permissions",
      "WRITE ~/a/k|v = OK|\n"
      "SET_PERMS ~/a|n$|r0| = OK|\n"
      "WRITE ~/a|w = OK|\n"
      "DIRECTORY ~/a| = k|\n"
      "GET_PERMS ~/a| = n$|r0|" },
    { "MKDIR creates an empty node",
      "MKDIR ~/a| = OK|\n"
      "READ ~/a| = -\n"
      "DIRECTORY ~/a| = -" },
    { "MKDIR creates missing parents",
      "MKDIR ~/a/b/c| = OK|\n"
      "DIRECTORY ~/a/b| = c|" },
    { "MKDIR of what exists keeps it, and is silent",
      "WRITE ~/a/k|v = OK|\n"
      "WATCH ~|t| = OK|\n"
      "events ~:t\n"
      "MKDIR ~/a| = OK|\n"
      "MKDIR ~/a/k| = OK|\n"
      "READ ~/a/k| = v\n"
      "events -" },
    { "RM removes all below",
      "WRITE ~/a/b/c|v = OK|\n"
      "RM ~/a| = OK|\n"
      "READ ~/a| = ENOENT\n"
      "READ ~/a/b/c| = ENOENT\n"
      "DIRECTORY ~| = -" },
    { "RM of what is missing is well if the parent exists",
      "WATCH ~|t| = OK|\n"
      "events ~:t\n"
      "RM ~/a| = OK|\n"
      "RM ~/a| = OK|\n"
      "events -" },
    { "RM without a parent",
      "RM ~/a/b| = ENOENT\n"
      "RM ~/a/b/c| = ENOENT" },
    { "RM and WRITE again gives a new node",
      "WRITE ~/a/k|v = OK|\n"
      "RM ~/a| = OK|\n"
      "WRITE ~/a|w = OK|\n"
      "DIRECTORY ~/a| = -\n"
      "READ ~/a| = w" },
    { "DIRECTORY in order of insertion",
      "MKDIR ~/b| = OK|\n"
      "MKDIR ~/a| = OK|\n"
      "MKDIR ~/c| = OK|\n"
      "DIRECTORY ~| = b|a|c|\n"
      "WRITE ~/b|v = OK|\n"
      "DIRECTORY ~| = b|a|c|\n"
      "RM ~/b| = OK|\n"
      "MKDIR ~/b| = OK|\n"
      "DIRECTORY ~| = a|c|b|" },
    { "DIRECTORY gives names without paths, and no grandchildren",
      "MKDIR ~/a/b| = OK|\n"
      "DIRECTORY ~| = a|" },
    { "DIRECTORY of what is not there",
      "DIRECTORY ~/a| = ENOENT" },
    { "DIRECTORY_PART gives a number and names",
      "MKDIR ~/aa| = OK|\n"
      "MKDIR ~/b| = OK|\n"
      "DIRECTORY_PART ~|0| = %|aa|b||\n"
      "DIRECTORY_PART ~|3| = %|b||" },
    { "DIRECTORY_PART of an empty directory",
      "DIRECTORY_PART ~|0| = %||" },
    { "DIRECTORY_PART past the end",
      "MKDIR ~/aa| = OK|\n"
      "DIRECTORY_PART ~|3| = %||\n"
      "DIRECTORY_PART ~|4| = %||\n"
      "DIRECTORY_PART ~|4096| = %||\n"
      "DIRECTORY_PART ~|4294967295| = %||\n"
      "DIRECTORY_PART ~|99999999999| = %||" },
    { "DIRECTORY_PART in the middle of a name",
      "MKDIR ~/name| = OK|\n"
      "DIRECTORY_PART ~|2| = %|me||\n"
      "DIRECTORY_PART ~|4| = %|||" },
    { "DIRECTORY_PART wants a number",
      "DIRECTORY_PART ~|x| = EINVAL\n"
      "DIRECTORY_PART ~|| = EINVAL\n"
      "DIRECTORY_PART ~|-1| = EINVAL" },
    { "DIRECTORY_PART of what is not there",
      "DIRECTORY_PART ~/a|0| = ENOENT" },
    { "DIRECTORY_PART in parts: only the last has an empty string",
      "root repeat 60 MKDIR ~/d/{n*88}#| = OK|\n"
      "DIRECTORY ~/d| = E2BIG\n"
      "DIRECTORY_PART ~/d|5450| = %||\n"
      "DIRECTORY_PART ~/d|5359| = %|{n*88}59||" },
    { "the number changes with the node",
      "MKDIR ~/k| = OK|\n"
      "DIRECTORY_PART ~|0| = %|k||\n"
      "keep\n"
      "WRITE ~|v = OK|\n"
      "DIRECTORY_PART ~|0| = %|k||\n"
      "changed\n"
      "keep\n"
      "SET_PERMS ~|n$|r0| = OK|\n"
      "DIRECTORY_PART ~|0| = %|k||\n"
      "changed\n"
      "keep\n"
      "MKDIR ~/l| = OK|\n"
      "DIRECTORY_PART ~|0| = %|k|l||\n"
      "changed\n"
      "keep\n"
      "RM ~/l| = OK|\n"
      "DIRECTORY_PART ~|0| = %|k||\n"
      "changed" },
    { "the number stays otherwise",
      "MKDIR ~/k| = OK|\n"
      "DIRECTORY_PART ~|0| = %|k||\n"
      "keep\n"
      "READ ~| = -\n"
      "WRITE ~/k|v = OK|\n"
      "MKDIR ~/k/grandchild| = OK|\n"
      "MKDIR ~/k| = OK|\n"
      "RM ~/missing| = OK|\n"
      "DIRECTORY_PART ~|0| = %|k||\n"
      "same" },
    { "a deep path",
      "MKDIR ~/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z| = OK|\n"
      "READ ~/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z| = -\n"
      "RM ~/a| = OK|" },
};
/* clang-format on */

ROOM(nodes);
