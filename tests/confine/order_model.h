/*
 * A model of what a guest's hypercalls about its memory and its changes of the
 * address space mean: which calls succeed, which mmap() is let go, what is
 * visible at each address, what is pinned and what is counted. It is told each
 * step of a program, and compared with the hypervisor's tables and with the
 * process's mappings.
 */
#ifndef TESTS_ORDER_MODEL_H
#define TESTS_ORDER_MODEL_H

#include "puppet.h"

/* Places: frames of the aperture, then pages of RAM. */
#define MODEL_FRAMES 6u
#define MODEL_PLACES (MODEL_FRAMES + PROBE_RAM_PAGES)
/* Grants: of the granter's pages, then of the guest's own to itself. */
#define MODEL_FOREIGN 4u
#define MODEL_GRANTS  6u
#define MODEL_REF     8u /* the first one */
#define MODEL_HANDLES 64u
#define MODEL_LENT    (SANDBOX_FDS - SANDBOX_FD_FOREIGN)

enum model_file { FILE_OWN, FILE_GRANTER };

/* What stands at a place; prot 0: nothing that is accessible. */
struct model_view {
    enum model_file file;
    uint64_t page;
    int prot;
};

struct model_place {
    enum frame_state state; /* FRAME_DEFAULT: RAM, or an empty frame */
    unsigned int pins;
    struct model_view shown;
};

struct model_change {
    struct sandbox_change change;
    enum model_file file;
    bool let_go, late; /* it has not run: the vCPU is down */
    enum { ENDS_NOTHING, ENDS_GRANT, ENDS_RAM } ends;
    unsigned int handle;
};

struct model_vcpu {
    bool down;
    struct model_change list[SANDBOX_MAX_CHANGES];
    unsigned int nr;
    uint64_t protecting; /* a page, or 0 */
    int protection;      /* that it gets when the vCPU is up, or -1 */
};

struct model {
    struct puppets *p;
    struct domain *granter;
    uint64_t aperture; /* the address of its first place */
    struct model_place place[MODEL_PLACES];
    struct {
        unsigned int readers, writers;
        bool readonly;
    } grant[MODEL_GRANTS];
    struct {
        bool used, closing, readonly;
        unsigned int place, grant;
    } handle[MODEL_HANDLES];
    struct model_vcpu vcpu[PUPPET_MAX];
    struct {
        bool is;
        unsigned int vcpu;
        uint64_t call;
    } lent[MODEL_LENT];
    uint64_t call;        /* number of the hypercall */
    unsigned int counted; /* RAM pages */
};

void model_init(struct model *m, struct puppets *p, struct domain *granter);

uint64_t model_address(const struct model *m, unsigned int place);
/* The granter and the frame in it of grant g. */
struct domain *model_granter(const struct model *m, unsigned int g);
xen_pfn_t model_granted(const struct model *m, unsigned int g);

/* A vCPU calls: what it was let go to do has run. */
void model_finish(struct model *m, unsigned int vcpu, bool hypercall);
void model_take_files_back(struct model *m, unsigned int vcpu);

/*
 * What elements of hypercalls do, and the status or number that they answer.
 * A map that succeeds is given `handle`.
 */
int model_map(struct model *m, unsigned int vcpu, unsigned int place,
              unsigned int grant, bool readonly, unsigned int handle);
int model_unmap(struct model *m, unsigned int vcpu, unsigned int place,
                unsigned int handle);
int model_copy(const struct model *m, unsigned int from, unsigned int to,
               bool to_grant);
long model_add(struct model *m, unsigned int vcpu, unsigned int place,
               unsigned int index);
/* Gives extents back, or takes them: `nr` places, each the first of 1 << order.
 */
long model_adjust(struct model *m, unsigned int vcpu, bool give,
                  const unsigned int *first, unsigned int nr,
                  unsigned int order);

/* mmap() and mprotect() by a vCPU: may it run? If the vCPU is up it has. */
bool model_mmap(struct model *m, unsigned int vcpu,
                const struct sandbox_change *c);
bool model_mprotect(struct model *m, unsigned int vcpu, uint64_t addr,
                    uint64_t prot);
/* A vCPU is up again. */
void model_raise(struct model *m, unsigned int vcpu);

/* NULL, or what is wrong: */
/* something is visible though it is not granted, or not counted; whatever the
 * model says; */
const char *model_check_wall(const struct model *m);
/* the hypervisor, or the process, is not as the model; */
const char *model_check(const struct model *m);
/* what a vCPU was told, at the end of a hypercall. */
const char *model_check_told(const struct model *m, unsigned int vcpu);

#endif
