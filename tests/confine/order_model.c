/*
 * The model of what a guest may see. See order_model.h.
 */
#include "order_model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static uint64_t size_of(uint64_t pages)
{
    return pages << PAGE_SHIFT;
}

uint64_t model_address(const struct model *m, unsigned int place)
{
    return place < MODEL_FRAMES ? m->aperture + size_of(place)
                                : PROBE_RAM + size_of(place - MODEL_FRAMES);
}

static bool is_ram(unsigned int place)
{
    return place >= MODEL_FRAMES;
}

static bool is_foreign(unsigned int grant)
{
    return grant < MODEL_FOREIGN;
}

struct domain *model_granter(const struct model *m, unsigned int g)
{
    return is_foreign(g) ? m->granter : m->p->d;
}

xen_pfn_t model_granted(const struct model *m, unsigned int g)
{
    return is_foreign(g) ? (PROBE_GRANTED >> PAGE_SHIFT) + g
                         : model_address(m, MODEL_FRAMES + g - MODEL_FOREIGN) >>
                               PAGE_SHIFT;
}

void model_init(struct model *m, struct puppets *p, struct domain *granter)
{
    memset(m, 0, sizeof(*m));
    m->p = p;
    m->granter = granter;
    m->aperture = size_of(p->d->memory.nr_pages + 100);
    m->counted = p->d->memory.tot_pages;
    for (unsigned int g = 0; g < MODEL_GRANTS; g++)
        m->grant[g].readonly = g == 1;
    for (unsigned int i = MODEL_FRAMES; i < MODEL_PLACES; i++)
        m->place[i].shown = (struct model_view){
            .page = model_address(m, i) >> PAGE_SHIFT,
            .prot = PROT_READ | PROT_WRITE,
        };
    for (unsigned int k = 0; k < PUPPET_MAX; k++)
        m->vcpu[k].protection = -1;
}

/* ---- changes ---- */

static bool overlap(const struct sandbox_change *a,
                    const struct sandbox_change *b)
{
    return a->addr < b->addr + b->size && b->addr < a->addr + a->size;
}

static bool is_changing(const struct model *m, unsigned int vcpu,
                        const struct sandbox_change *c)
{
    for (unsigned int k = 0; k < m->p->nr; k++) {
        const struct model_vcpu *v = &m->vcpu[k];

        if (k == vcpu)
            continue;
        if (v->protecting >= c->addr && v->protecting < c->addr + c->size)
            return true;
        for (unsigned int i = 0; i < v->nr; i++)
            if (overlap(&v->list[i].change, c))
                return true;
    }
    return false;
}

static int lend(struct model *m, unsigned int vcpu)
{
    unsigned int free = MODEL_LENT;

    for (unsigned int i = MODEL_LENT; i-- > 0;) {
        if (!m->lent[i].is)
            free = i;
        else if (m->lent[i].vcpu == vcpu && m->lent[i].call == m->call)
            return SANDBOX_FD_FOREIGN + (int)i;
    }
    if (free == MODEL_LENT)
        return -EMFILE;
    m->lent[free].is = true;
    m->lent[free].vcpu = vcpu;
    m->lent[free].call = m->call;
    return SANDBOX_FD_FOREIGN + (int)free;
}

void model_take_files_back(struct model *m, unsigned int vcpu)
{
    for (unsigned int i = 0; i < MODEL_LENT; i++)
        if (m->lent[i].vcpu == vcpu)
            m->lent[i].is = false;
}

/* Tells the vCPU to show pages from `place` on as said. */
static struct model_change *tell(struct model *m, unsigned int vcpu,
                                 unsigned int place, unsigned int pages,
                                 const struct model_view *view)
{
    struct model_vcpu *v = &m->vcpu[vcpu];
    struct sandbox_change c = { .addr = model_address(m, place),
                                .size = size_of(pages),
                                .offset = size_of(view->page),
                                .fd = SANDBOX_FD_RAM,
                                .prot = view->prot };

    if (v->nr == SANDBOX_MAX_CHANGES || is_changing(m, vcpu, &c))
        return NULL;
    if (!view->prot && !is_ram(place))
        c.fd = -1;
    if (view->prot && view->file == FILE_GRANTER)
        c.fd = lend(m, vcpu);
    if (c.fd == -EMFILE)
        return NULL;
    v->list[v->nr] = (struct model_change){ .change = c, .file = view->file };
    return &v->list[v->nr++];
}

/* It runs. */
static void apply(struct model *m, const struct model_change *mc)
{
    const struct sandbox_change *c = &mc->change;

    for (unsigned int i = 0; i < MODEL_PLACES; i++) {
        uint64_t at = model_address(m, i);

        if (at >= c->addr && at < c->addr + c->size)
            m->place[i].shown = (struct model_view){
                .file = mc->file,
                .page = (c->offset + at - c->addr) >> PAGE_SHIFT,
                .prot = c->prot,
            };
    }
}

static void use(struct model *m, unsigned int grant, bool readonly, int by)
{
    unsigned int before = m->grant[grant].readers + m->grant[grant].writers,
                 after;

    if (readonly)
        m->grant[grant].readers += (unsigned int)by;
    else
        m->grant[grant].writers += (unsigned int)by;
    after = m->grant[grant].readers + m->grant[grant].writers;
    if (!is_foreign(grant) && !before != !after)
        m->place[MODEL_FRAMES + grant - MODEL_FOREIGN].pins += (unsigned int)by;
}

static void end_grant(struct model *m, unsigned int handle)
{
    m->handle[handle].used = m->handle[handle].closing = false;
    m->place[m->handle[handle].place].state = FRAME_DEFAULT;
    use(m, m->handle[handle].grant, m->handle[handle].readonly, -1);
}

static void end_ram(struct model *m, const struct sandbox_change *c)
{
    for (unsigned int i = MODEL_FRAMES; i < MODEL_PLACES; i++) {
        uint64_t at = model_address(m, i);

        if (at >= c->addr && at < c->addr + c->size) {
            m->place[i].state = FRAME_HOLE;
            m->counted--;
        }
    }
}

void model_finish(struct model *m, unsigned int vcpu, bool hypercall)
{
    struct model_vcpu *v = &m->vcpu[vcpu];
    unsigned int left = 0;

    v->protecting = 0;
    for (unsigned int i = 0; i < v->nr; i++) {
        struct model_change mc = v->list[i];

        if (mc.let_go && mc.ends == ENDS_GRANT)
            end_grant(m, mc.handle);
        else if (mc.let_go && mc.ends == ENDS_RAM)
            end_ram(m, &mc.change);
        else if (!mc.let_go && (mc.ends != ENDS_NOTHING || !hypercall))
            v->list[left++] = mc;
    }
    v->nr = left;
}

static bool same(const struct sandbox_change *a, const struct sandbox_change *b)
{
    return a->addr == b->addr && a->size == b->size && a->prot == b->prot &&
           a->fd == b->fd && a->offset == b->offset;
}

/* The first that is the same, if nothing before it has a page of it. */
bool model_mmap(struct model *m, unsigned int vcpu,
                const struct sandbox_change *c)
{
    struct model_vcpu *v = &m->vcpu[vcpu];

    for (unsigned int i = 0; i < v->nr; i++) {
        struct model_change *mc = &v->list[i];

        if (same(&mc->change, c)) {
            mc->let_go = true;
            mc->late = v->down;
            if (!mc->late)
                apply(m, mc);
            return true;
        }
        if (overlap(&mc->change, c))
            return false;
    }
    return false;
}

static void protect(struct model *m, uint64_t addr, int prot)
{
    for (unsigned int i = MODEL_FRAMES; i < MODEL_PLACES; i++)
        if (model_address(m, i) == addr)
            m->place[i].shown.prot = prot;
}

bool model_mprotect(struct model *m, unsigned int vcpu, uint64_t addr,
                    uint64_t prot)
{
    struct model_vcpu *v = &m->vcpu[vcpu];
    const uint64_t rwx = PROT_READ | PROT_WRITE | PROT_EXEC;
    bool ram = false;

    for (unsigned int i = MODEL_FRAMES; i < MODEL_PLACES; i++)
        ram |=
            model_address(m, i) == addr && (m->place[i].state == FRAME_DEFAULT);
    if (!ram || prot >= rwx || prot == (PROT_WRITE | PROT_EXEC) ||
        (prot && !(prot & PROT_READ)))
        return false;
    v->protecting = addr;
    if (v->down)
        v->protection = (int)prot;
    else
        protect(m, addr, (int)prot);
    return true;
}

void model_raise(struct model *m, unsigned int vcpu)
{
    struct model_vcpu *v = &m->vcpu[vcpu];

    v->down = false;
    if (v->protection >= 0)
        protect(m, v->protecting, v->protection);
    v->protection = -1;
    for (unsigned int i = 0; i < v->nr; i++)
        if (v->list[i].late) {
            v->list[i].late = false;
            apply(m, &v->list[i]);
        }
}

/* ---- hypercalls ---- */

/* May the grant be used (so)? */
static int acquire(const struct model *m, unsigned int grant, bool readonly)
{
    bool in_use = m->grant[grant].readers || m->grant[grant].writers;

    if (!readonly && m->grant[grant].readonly)
        return GNTST_general_error;
    if (!in_use && !is_foreign(grant) &&
        m->place[MODEL_FRAMES + grant - MODEL_FOREIGN].state != FRAME_DEFAULT)
        return GNTST_bad_page;
    return GNTST_okay;
}

int model_map(struct model *m, unsigned int vcpu, unsigned int place,
              unsigned int grant, bool readonly, unsigned int handle)
{
    int status = acquire(m, grant, readonly);
    struct model_view view = {
        .file = is_foreign(grant) ? FILE_GRANTER : FILE_OWN,
        .page = model_granted(m, grant),
        .prot = readonly ? PROT_READ : PROT_READ | PROT_WRITE,
    };

    if (status)
        return status;
    if (m->place[place].state != FRAME_DEFAULT)
        return GNTST_bad_virt_addr;
    if (!tell(m, vcpu, place, 1, &view))
        return GNTST_no_device_space;
    m->place[place].state = FRAME_FOREIGN;
    m->handle[handle].used = true;
    m->handle[handle].readonly = readonly;
    m->handle[handle].place = place;
    m->handle[handle].grant = grant;
    use(m, grant, readonly, 1);
    return GNTST_okay;
}

int model_unmap(struct model *m, unsigned int vcpu, unsigned int place,
                unsigned int handle)
{
    struct model_change *mc;

    if (!m->handle[handle].used || m->handle[handle].closing)
        return GNTST_bad_handle;
    if (m->handle[handle].place != place)
        return GNTST_general_error;
    mc = tell(m, vcpu, place, 1, &(struct model_view){ 0 });
    if (!mc)
        return GNTST_general_error;
    mc->ends = ENDS_GRANT;
    mc->handle = handle;
    m->handle[handle].closing = true;
    return GNTST_okay;
}

/* From a page of RAM to another, or to a grant. */
int model_copy(const struct model *m, unsigned int from, unsigned int to,
               bool to_grant)
{
    if (m->place[from].state != FRAME_DEFAULT)
        return GNTST_bad_page;
    if (!to_grant)
        return m->place[to].state == FRAME_DEFAULT ? GNTST_okay
                                                   : GNTST_bad_page;
    return acquire(m, to, false);
}

long model_add(struct model *m, unsigned int vcpu, unsigned int place,
               unsigned int index)
{
    struct model_view view = {
        .page = m->p->d->memory.nr_pages + MEMORY_OWN_GRANT + index,
        .prot = PROT_READ | PROT_WRITE,
    };

    if (m->place[place].state != FRAME_DEFAULT)
        return -XEN_EINVAL;
    if (!tell(m, vcpu, place, 1, &view))
        return -XEN_EBUSY;
    m->place[place].state = FRAME_OWN;
    return 0;
}

static void set_all(struct model *m, unsigned int first, unsigned int pages,
                    enum frame_state state)
{
    for (unsigned int i = first; i < first + pages; i++)
        m->place[i].state = state;
}

static bool all_are(const struct model *m, unsigned int first,
                    unsigned int pages, enum frame_state state)
{
    for (unsigned int i = first; i < first + pages; i++)
        if (m->place[i].state != state || m->place[i].pins)
            return false;
    return true;
}

/* Extents side by side are one change. False: it is not told. */
static bool end_run(struct model *m, unsigned int vcpu, bool give,
                    unsigned int first, unsigned int pages)
{
    struct model_view view = {
        .page = model_address(m, first) >> PAGE_SHIFT,
        .prot = give ? PROT_NONE : PROT_READ | PROT_WRITE,
    };
    struct model_change *mc = tell(m, vcpu, first, pages, &view);

    if (mc && give)
        mc->ends = ENDS_RAM;
    if (mc && !give)
        m->counted += pages;
    if (!mc)
        set_all(m, first, pages, give ? FRAME_DEFAULT : FRAME_HOLE);
    return mc;
}

long model_adjust(struct model *m, unsigned int vcpu, bool give,
                  const unsigned int *first, unsigned int nr,
                  unsigned int order)
{
    unsigned int pages = 1u << order, run = 0, run_first = 0, run_done = 0;
    unsigned int done = 0;

    for (; done < nr; done++) {
        if (run && first[done] != run_first + run) {
            if (!end_run(m, vcpu, give, run_first, run))
                return run_done;
            run = 0;
        }
        if (!all_are(m, first[done], pages, give ? FRAME_DEFAULT : FRAME_HOLE))
            break;
        set_all(m, first[done], pages, give ? FRAME_LEAVING : FRAME_DEFAULT);
        if (!run) {
            run_first = first[done];
            run_done = done;
        }
        run += pages;
    }
    if (run && !end_run(m, vcpu, give, run_first, run))
        return run_done;
    return done;
}

/* ---- looking ---- */

static ino_t inode_of(const struct domain *d)
{
    struct stat st;

    assert_int_equal(fstat(d->memory.fd, &st), 0);
    return st.st_ino;
}

/* What the process has at all places. */
static void look(const struct model *m, struct model_view *seen)
{
    ino_t granter = inode_of(m->granter);
    const char *s = confine_proc(puppet_vcpu(m->p, 0)->tid, "maps");
    unsigned long start, end, offset, inode;
    char perms[8];

    memset(seen, 0, MODEL_PLACES * sizeof(*seen));
    for (; *s; s = strchr(s, '\n') + 1) {
        assert_int_equal(sscanf(s, "%lx-%lx %7s %lx %*s %lu", &start, &end,
                                perms, &offset, &inode),
                         5);
        for (unsigned int i = 0; i < MODEL_PLACES; i++) {
            uint64_t at = model_address(m, i);

            if (at >= start && at < end)
                seen[i] = (struct model_view){
                    .file = inode == granter ? FILE_GRANTER : FILE_OWN,
                    .page = (offset + at - start) >> PAGE_SHIFT,
                    .prot = (perms[0] == 'r' ? PROT_READ : 0) |
                            (perms[1] == 'w' ? PROT_WRITE : 0) |
                            (perms[2] == 'x' ? PROT_EXEC : 0),
                };
        }
    }
}

static const char *wrong(const struct model *m, unsigned int place,
                         const char *what)
{
    static char text[128];

    snprintf(text, sizeof(text), "%s at %#llx (place %u)", what,
             (unsigned long long)model_address(m, place), place);
    return text;
}

static const char *wrong_nr(const char *what, unsigned int i)
{
    static char text[128];

    snprintf(text, sizeof(text), "%s %u", what, i);
    return text;
}

/* What the granter reads in its table. */
static uint16_t flags_of(const struct model *m, unsigned int grant)
{
    const grant_entry_v1_t *e =
        memory_own_page(model_granter(m, grant), MEMORY_OWN_GRANT);

    return e[MODEL_REF + grant].flags & (GTF_reading | GTF_writing);
}

/* Does the table say that this page is seen (so)? */
static bool is_granted(const struct model *m, const struct model_view *v)
{
    uint16_t need = v->prot & PROT_WRITE ? GTF_writing : GTF_reading;

    for (unsigned int g = 0; g < MODEL_GRANTS; g++)
        if (is_foreign(g) == (v->file == FILE_GRANTER) &&
            model_granted(m, g) == v->page && (flags_of(m, g) & need))
            return true;
    return false;
}

const char *model_check_wall(const struct model *m)
{
    const struct memory *mem = &m->p->d->memory;
    struct model_view seen[MODEL_PLACES];

    look(m, seen);
    for (unsigned int i = 0; i < MODEL_PLACES; i++) {
        const struct model_view *v = &seen[i];
        uint8_t state = mem->frames[model_address(m, i) >> PAGE_SHIFT].state;

        if (!v->prot)
            continue;
        if (!(v->prot & PROT_READ))
            return wrong(m, i, "a page is accessible and not readable");
        if (is_ram(i) && (v->file != FILE_OWN ||
                          v->page != model_address(m, i) >> PAGE_SHIFT))
            return wrong(m, i, "a page that is not the frame's own");
        if (is_ram(i) && state != FRAME_DEFAULT && state != FRAME_LEAVING)
            return wrong(m, i, "a hole is accessible");
        if (!is_ram(i) && v->page < mem->nr_pages && !is_granted(m, v))
            return wrong(m, i, "a page is visible after its grant");
        if (!is_ram(i) && v->page >= mem->nr_pages && state != FRAME_OWN)
            return wrong(m, i, "the hypervisor's page is visible");
    }
    return NULL;
}

static const char *check_tables(const struct model *m)
{
    for (unsigned int i = 0; i < MODEL_PLACES; i++)
        if (m->p->d->memory.frames[model_address(m, i) >> PAGE_SHIFT].state !=
            m->place[i].state)
            return wrong(m, i, "another state of the frame");
    for (unsigned int g = 0; g < MODEL_GRANTS; g++) {
        uint16_t flags = (m->grant[g].writers ? GTF_writing | GTF_reading : 0) |
                         (m->grant[g].readers ? GTF_reading : 0);

        if ((flags_of(m, g) & GTF_reading) != (flags & GTF_reading) ||
            (flags_of(m, g) & GTF_writing) != (flags & GTF_writing))
            return wrong_nr("other uses of grant", g);
    }
    return m->p->d->memory.tot_pages == m->counted
               ? NULL
               : "another number of pages is counted";
}

const char *model_check(const struct model *m)
{
    struct model_view seen[MODEL_PLACES];

    look(m, seen);
    for (unsigned int i = 0; i < MODEL_PLACES; i++) {
        const struct model_view *a = &seen[i], *b = &m->place[i].shown;

        if (a->prot != b->prot)
            return wrong(m, i, "other access");
        if (a->prot && (a->file != b->file || a->page != b->page))
            return wrong(m, i, "another page");
    }
    return check_tables(m);
}

const char *model_check_told(const struct model *m, unsigned int vcpu)
{
    const struct sandbox_page *page = sandbox_page_of(&m->p->d->vcpu[vcpu]);
    const struct model_vcpu *v = &m->vcpu[vcpu];

    if (page->nr_changes != v->nr)
        return wrong_nr("it was told another number of changes than", v->nr);
    for (unsigned int i = 0; i < v->nr; i++)
        if (!same(&page->change[i], &v->list[i].change))
            return wrong_nr("it was told another change as number", i);
    return NULL;
}
