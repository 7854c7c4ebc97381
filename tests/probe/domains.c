/* Requests about domains, their features and quotas; CONTROL. */
#include "tests/probe/probe.h"

/* clang-format off */
static const struct probe probes[] = {
    { "GET_DOMAIN_PATH is for anyone, of any number",
      "GET_DOMAIN_PATH 0| = /local/domain/0|\n"
      "GET_DOMAIN_PATH $| = /local/domain/$|\n"
      "GET_DOMAIN_PATH 50| = /local/domain/50|\n"
      "GET_DOMAIN_PATH 65535| = /local/domain/65535|\n"
      "GET_DOMAIN_PATH 32752| = /local/domain/32752|\n"
      "GET_DOMAIN_PATH 007| = /local/domain/7|" },
    { "GET_DOMAIN_PATH of what is no domain's number",
      "GET_DOMAIN_PATH 65536| = EINVAL\n"
      "GET_DOMAIN_PATH 99999999999999999999| = EINVAL\n"
      "GET_DOMAIN_PATH -1| = EINVAL\n"
      "GET_DOMAIN_PATH x| = EINVAL\n"
      "GET_DOMAIN_PATH 1x| = EINVAL\n"
      "GET_DOMAIN_PATH | = EINVAL" },
    { "privileged requests are EACCES to a guest",
      "CONTROL help| = * / EACCES\n"
      "CONTROL nonsense| = EINVAL / EACCES\n"
      "INTRODUCE $|1|7| = EINVAL / EACCES\n"
      "RELEASE $| = EINVAL / EACCES\n"
      "RESUME $| = EINVAL / EACCES\n"
      "SET_TARGET $|0| = OK| / EACCES\n"
      "IS_DOMAIN_INTRODUCED $| = T| / EACCES\n"
      "SET_FEATURE $|0| = EBUSY / EACCES\n"
      "GET_QUOTA nodes| = 1000| / EACCES\n"
      "SET_QUOTA nodes|1000| = OK| / EACCES" },
    { "a guest is not told whether a domain exists",
      "IS_DOMAIN_INTRODUCED 0| = EACCES\n"
      "IS_DOMAIN_INTRODUCED 50| = EACCES\n"
      "RELEASE 50| = EACCES\n"
      "GET_FEATURE 0| = EACCES\n"
      "GET_FEATURE 50| = EACCES\n"
      "GET_QUOTA 50|nodes| = EACCES",
      AS_GUEST },
    { "INTRODUCE wants a port",
      "INTRODUCE 50|1|0| = EINVAL / EACCES\n"
      "INTRODUCE 50|1|-1| = EINVAL / EACCES\n"
      "INTRODUCE 50|1|x| = EINVAL / EACCES\n"
      "INTRODUCE 50|1|| = EINVAL / EACCES" },
    { "INTRODUCE of domain 0 and of no domain",
      "INTRODUCE 0|1|7| = EINVAL / EACCES\n"
      "INTRODUCE x|1|7| = EINVAL / EACCES\n"
      "INTRODUCE 50|1|7| = EINVAL / EACCES\n"
      "INTRODUCE 50|-1|7| = EINVAL / EACCES\n"
      "INTRODUCE 50|gfn|7|reserved| = EINVAL / EACCES" },
    { "RELEASE of domain 0 and of unknown ones",
      "RELEASE 0| = EINVAL / EACCES\n"
      "RELEASE 50| = ENOENT / EACCES\n"
      "RELEASE 70000| = ENOENT / EACCES\n"
      "RELEASE -1| = EINVAL / EACCES\n"
      "RELEASE x| = EINVAL / EACCES\n"
      "RELEASE | = EINVAL / EACCES" },
    { "RESUME of domain 0 and of unknown ones",
      "RESUME 0| = EINVAL / EACCES\n"
      "RESUME 50| = ENOENT / EACCES\n"
      "RESUME x| = EINVAL / EACCES" },
    { "RESUME of a domain",
      "root RESUME $| = OK|",
      AS_GUEST },
    { "IS_DOMAIN_INTRODUCED",
      "IS_DOMAIN_INTRODUCED 0| = T| / EACCES\n"
      "IS_DOMAIN_INTRODUCED 50| = F| / EACCES\n"
      "IS_DOMAIN_INTRODUCED 65535| = F| / EACCES\n"
      "IS_DOMAIN_INTRODUCED 70000| = F| / EACCES\n"
      "IS_DOMAIN_INTRODUCED 32752| = T| / EACCES\n"
      "IS_DOMAIN_INTRODUCED x| = EINVAL / EACCES\n"
      "root IS_DOMAIN_INTRODUCED $| = T|" },
    { "SET_TARGET of unknown domains",
      "SET_TARGET 50|0| = ENOENT / EACCES\n"
      "SET_TARGET 0|50| = ENOENT / EACCES\n"
      "SET_TARGET x|0| = EINVAL / EACCES\n"
      "SET_TARGET 0|x| = EINVAL / EACCES\n"
      "SET_TARGET 50|0|reserved| = ENOENT / EACCES" },
    { "SET_TARGET gives the target's rights",
      "root WRITE ~/a|v = OK|\n"
      "root SET_PERMS ~/a|n0| = OK|\n"
      "READ ~/a| = EACCES\n"
      "root SET_TARGET $|0| = OK|\n"
      "READ ~/a| = v\n"
      "WRITE ~/a|w = OK|\n"
      "SET_PERMS ~/a|n0|r50| = OK|\n"
      "SET_PERMS ~/a|n$| = EPERM\n"
      "WRITE ~/a/k|v = OK|\n"
      "GET_PERMS ~/a/k| = n$|r50|\n"
      "CONTROL help| = EACCES\n"
      "root SET_TARGET $|$| = OK|\n"
      "READ ~/a| = EACCES",
      AS_GUEST },
    { "GET_FEATURE without a domain is for anyone",
      "GET_FEATURE = 15|\n"
      "GET_FEATURE | = 15|" },
    { "GET_FEATURE of a domain, even oneself, is for domain 0",
      "GET_FEATURE $| = 15| / EACCES\n"
      "GET_FEATURE 0| = 15| / EACCES\n"
      "GET_FEATURE x| = EINVAL / EACCES\n"
      "GET_FEATURE 70000| = EINVAL / EACCES\n"
      "GET_FEATURE $|0| = EINVAL / EACCES\n"
      "GET_FEATURE 50| = ENOENT / EACCES\n"
      "root GET_FEATURE $| = 15|" },
    { "SET_FEATURE",
      "SET_FEATURE 50|1| = ENOENT / EACCES\n"
      "SET_FEATURE 0|16| = EINVAL / EACCES\n"
      "SET_FEATURE 0|x| = EINVAL / EACCES\n"
      "SET_FEATURE 0| = EINVAL / EACCES" },
    { "GET_QUOTA gives names, limits, a domain's limits",
      "root GET_QUOTA = nodes watches *\n"
      "root GET_QUOTA nodes| = 1000|\n"
      "root GET_QUOTA $|watches| = 128|\n"
      "root GET_QUOTA nonsense| = EINVAL\n"
      "root GET_QUOTA 50|nodes| = ENOENT\n"
      "root GET_QUOTA $|nodes|x| = EINVAL" },
    { "standard limits",
      "root GET_QUOTA $|nodes| = 1000|\n"
      "root GET_QUOTA $|watches| = 128|\n"
      "root GET_QUOTA $|transactions| = 10|\n"
      "root GET_QUOTA $|transaction-nodes| = 1024|\n"
      "root GET_QUOTA $|node-size| = 2048|\n"
      "root GET_QUOTA $|node-permissions| = 5|\n"
      "root GET_QUOTA $|path-max| = 2048|\n"
      "root GET_QUOTA $|outstanding| = 20|\n"
      "root GET_QUOTA $|memory| = 2621440|\n"
      "root GET_QUOTA $|soft-memory| = 2097152|" },
    { "SET_QUOTA",
      "root SET_QUOTA $|watches|5| = OK|\n"
      "root GET_QUOTA $|watches| = 5|\n"
      "root SET_QUOTA $|watches|128| = OK|\n"
      "root SET_QUOTA $|nonsense|5| = EINVAL\n"
      "root SET_QUOTA $|watches|x| = EINVAL\n"
      "root SET_QUOTA watches| = EINVAL\n"
      "root SET_QUOTA 50|watches|5| = ENOENT" },
    { "counters are visible",
      "root CONTROL quota| = *\n"
      "root CONTROL quota|$| = *\n"
      "root CONTROL quota|50| = ENOENT\n"
      "root CONTROL quota-soft| = *" },
    { "CONTROL: its commands",
      "root CONTROL check| = OK|\n"
      "root CONTROL help| = *\n"
      "root CONTROL print|probe| = OK|\n"
      "root CONTROL memreport| = *" },
    { "CONTROL: mistakes",
      "root CONTROL nonsense| = EINVAL\n"
      "root CONTROL | = EINVAL\n"
      "root CONTROL check = EINVAL\n"
      "root CONTROL check|x| = EINVAL\n"
      "root CONTROL help|x| = EINVAL\n"
      "root CONTROL print| = EINVAL\n"
      "root CONTROL print|a|b| = EINVAL\n"
      "root CONTROL log|nonsense| = EINVAL\n"
      "root CONTROL logfile| = EINVAL\n"
      "root CONTROL quota|set|nodes| = EINVAL\n"
      "root CONTROL quota|set|nonsense|5| = EINVAL\n"
      "root CONTROL quota-soft|x| = EINVAL" },
    { "@releaseDomain is for everybody, @introduceDomain for domain 0",
      "root GET_PERMS @releaseDomain| = n0|r32757|\n"
      "root GET_PERMS @introduceDomain| = n0|\n"
      "WATCH @introduceDomain|i| = OK|\n"
      "WATCH @releaseDomain|r| = OK|\n"
      "events @introduceDomain:i @releaseDomain:r" },
};
/* clang-format on */

ROOM(domains);
