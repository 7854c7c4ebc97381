/*
 * What a TCP sender does about loss, in place of lwIP's own: that waited for
 * multiples of half a second, knew of one missing segment at a time, and
 * opened its window anew for each. The calls are at the places of lwIP's source
 * that build-aux/patches/lwip/13-tcp-recovery.patch changes.
 *
 * Sent segments are in two queues, both ordered by sequence number: `unacked`
 * is under way, `unsent` is to be sent, for the first time or again. Three
 * rules decide:
 *
 *   - Segments are counted as they are sent (`order`). Is one of them with the
 *     peer that was sent three later than another, the other is lost and moves
 *     to `unsent`. So a repeated segment that is lost again is found as well.
 *     The peer tells what it has by SACK (RFC 2018); each duplicate
 *     acknowledgement of a peer that does not counts as the next segment.
 *   - The congestion window bounds what is under way: neither acknowledged, nor
 *     with the peer, nor lost (the "pipe" of RFC 6675). It is halved
 *     once for all that was under way at that time (TF_INFR until rto_end is
 *     acknowledged), in steps: each two segments that arrive make room for one.
 *   - The timer (RFC 6298, in ms) first probes, after two round trips: of
 *     what was sent earlier than a segment that arrived, everything is
 *     lost; is there none, the last segment goes again to learn more (RFC
 *     8985, 7). Only then it times out, and everything is sent again.
 *
 * A peer that lies about what it has delays its own data only: marks are
 * forgotten when the timer runs out. Each acknowledgement costs one walk along
 * the queues, whose length TCP_SND_QUEUELEN bounds.
 */
#include <stdbool.h>

#include "lwip/opt.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"

#include "guest-kernel/net/timers.h"

#define RTO_MIN    200 /* a peer may delay an acknowledgement nearly so long */
#define RTO_MAX    60000 /* RFC 6298 */
#define PROBE_MIN  4
#define PROBES_MAX 3
#define REORDERED  3 /* segments may overtake each other by less */

static uint32_t seg_start(const struct tcp_seg *seg)
{
    return lwip_ntohl(seg->tcphdr->seqno);
}

static uint32_t seg_end(const struct tcp_seg *seg)
{
    return seg_start(seg) + TCP_TCPLEN(seg);
}

static bool is_sacked(const struct tcp_seg *seg)
{
    return seg->flags & TF_SEG_SACKED;
}

u32_t tcp_pipe(const struct tcp_pcb *pcb, struct tcp_seg **last)
{
    u32_t pipe = 0;

    *last = NULL;
    for (struct tcp_seg *seg = pcb->unacked; seg; seg = seg->next) {
        *last = seg;
        if (!is_sacked(seg))
            pipe += TCP_TCPLEN(seg);
    }
    return pipe;
}

/* ---- moving segments back to `unsent` ---- */

/*
 * Moves *at; its place is at *to or after it. Returns the place after it, for
 * the next one.
 */
static struct tcp_seg **requeue(struct tcp_pcb *pcb, struct tcp_seg **at,
                                struct tcp_seg **to)
{
    struct tcp_seg *seg = *at;

    *at = seg->next;
    while (*to && TCP_SEQ_LT(seg_start(*to), seg_start(seg)))
        to = &(*to)->next;
    seg->next = *to;
    *to = seg;
    if (!seg->next)
        pcb->unsent_oversize = 0; /* its buffer is full */
    pcb->rttest = 0;
    tcp_set_flags(pcb, TF_NAGLEMEMERR); /* does not wait to be filled */
    return &seg->next;
}

/* What was sent so much earlier than a segment that arrived. */
static bool requeue_lost(struct tcp_pcb *pcb, int32_t earlier)
{
    struct tcp_seg **at = &pcb->unacked, **to = &pcb->unsent;
    bool any = false;

    while (*at) {
        struct tcp_seg *seg = *at;

        if (is_sacked(seg) ||
            (int32_t)(pcb->acked_order - seg->order) < earlier ||
            tcp_output_segment_busy(seg)) {
            at = &seg->next;
            continue;
        }
        to = requeue(pcb, at, to);
        any = true;
    }
    return any;
}

static void forget_marks(struct tcp_seg *seg)
{
    for (; seg; seg = seg->next)
        seg->flags &= (u8_t)~TF_SEG_SACKED;
}

/* The peer may have dropped what it said it had: RFC 2018, 8. */
void tcp_recovery_restart(struct tcp_pcb *pcb)
{
    struct tcp_seg **to = &pcb->unsent;

    forget_marks(pcb->unacked);
    forget_marks(pcb->unsent);
    while (pcb->unacked)
        to = requeue(pcb, &pcb->unacked, to);
    tcp_clear_flags(pcb, TF_INFR);
}

/* ---- the congestion window ---- */

static void halve_ssthresh(struct tcp_pcb *pcb)
{
    tcpwnd_size_t half = LWIP_MIN(pcb->cwnd, pcb->snd_wnd) / 2;

    pcb->ssthresh = LWIP_MAX(half, (tcpwnd_size_t)(2 * pcb->mss));
    pcb->bytes_acked = 0;
}

/* Segments were lost: they go again, and if this is news, more slowly. */
static void recover(struct tcp_pcb *pcb)
{
    struct tcp_seg *last;

    if (pcb->flags & (TF_INFR | TF_RTO))
        return;
    halve_ssthresh(pcb);
    tcp_set_flags(pcb, TF_INFR);
    pcb->rto_end = pcb->snd_nxt;
    pcb->cwnd = LWIP_MAX(pcb->ssthresh, tcp_pipe(pcb, &last) + pcb->mss);
    tcp_rtx_start(pcb);
}

/* So many bytes arrived during recovery: half as many may follow them. */
static void settle(struct tcp_pcb *pcb, u32_t arrived)
{
    if (!(pcb->flags & TF_INFR) || pcb->cwnd <= pcb->ssthresh)
        return;
    pcb->cwnd -= LWIP_MIN(arrived / 2, pcb->cwnd - pcb->ssthresh);
}

/* ---- what acknowledgements tell ---- */

static void mark(struct tcp_pcb *pcb, struct tcp_seg *seg)
{
    seg->flags |= TF_SEG_SACKED;
    if (TCP_SEQ_GT(seg->order, pcb->acked_order))
        pcb->acked_order = seg->order;
}

void tcp_recovery_dupack(struct tcp_pcb *pcb)
{
    struct tcp_seg *seg = pcb->unacked;

    /* After a timeout they only tell that segments were sent twice. */
    if (!seg || pcb->flags & (TF_SACK | TF_RTO))
        return;
    do {
        seg = seg->next;
    } while (seg && is_sacked(seg));
    if (!seg)
        return;
    mark(pcb, seg);
    settle(pcb, seg->len);
    if (requeue_lost(pcb, REORDERED))
        recover(pcb);
}

/* Without SACK: which segments arrived was guessed, and is not true any more.
 * In recovery the next one is missing, too (RFC 6582). */
static void guess_anew(struct tcp_pcb *pcb)
{
    struct tcp_seg *first = pcb->unacked;

    forget_marks(first);
    if (!first)
        return;
    pcb->acked_order = first->order;
    if (pcb->flags & TF_INFR && !tcp_output_segment_busy(first))
        requeue(pcb, &pcb->unacked, &pcb->unsent);
}

void tcp_recovery_ack(struct tcp_pcb *pcb, tcpwnd_size_t acked)
{
    pcb->probes = 0;
    if (pcb->flags & TF_INFR && TCP_SEQ_GEQ(pcb->lastack, pcb->rto_end)) {
        tcp_clear_flags(pcb, TF_INFR);
        pcb->cwnd = pcb->ssthresh;
    }
    settle(pcb, acked);
    if (!(pcb->flags & TF_SACK))
        guess_anew(pcb);
    else if (pcb->flags & (TF_INFR | TF_RTO))
        requeue_lost(pcb, REORDERED);
}

/* Whether a block is of what was sent; one below is a duplicate (RFC 2883). */
static bool is_valid(const struct tcp_pcb *pcb, const struct tcp_sack_range *b)
{
    return TCP_SEQ_GT(b->left, pcb->lastack) && TCP_SEQ_LT(b->left, b->right) &&
           TCP_SEQ_LEQ(b->right, pcb->snd_nxt);
}

static bool covers(const struct tcp_sack_range *blocks, unsigned int n,
                   const struct tcp_seg *seg)
{
    for (unsigned int i = 0; i < n; i++)
        if (TCP_SEQ_LEQ(blocks[i].left, seg_start(seg)) &&
            TCP_SEQ_LEQ(seg_end(seg), blocks[i].right))
            return true;
    return false;
}

/* Marks what the blocks cover of a queue; returns how many bytes that were. */
static u32_t mark_covered(struct tcp_pcb *pcb, struct tcp_seg *seg,
                          const struct tcp_sack_range *blocks, unsigned int n)
{
    u32_t bytes = 0;

    for (; seg && TCP_SEQ_LT(seg_start(seg), pcb->snd_nxt); seg = seg->next) {
        if (is_sacked(seg) || !covers(blocks, n, seg))
            continue;
        mark(pcb, seg);
        bytes += TCP_TCPLEN(seg);
    }
    return bytes;
}

void tcp_recovery_sack(struct tcp_pcb *pcb, const struct tcp_sack_range *blocks,
                       unsigned int n)
{
    struct tcp_sack_range valid[4];
    unsigned int used = 0;
    u32_t bytes;

    for (unsigned int i = 0; i < n && i < LWIP_ARRAYSIZE(valid); i++)
        if (is_valid(pcb, &blocks[i]))
            valid[used++] = blocks[i];
    if (!used)
        return;
    bytes = mark_covered(pcb, pcb->unacked, valid, used);
    bytes += mark_covered(pcb, pcb->unsent, valid, used);
    if (!bytes)
        return;
    pcb->probes = 0;
    settle(pcb, bytes);
    if (pcb->rtime >= 0)
        tcp_rtx_start(pcb);
    if (requeue_lost(pcb, REORDERED))
        recover(pcb);
}

/* ---- the timer ---- */

static int32_t rto_of(const struct tcp_pcb *pcb)
{
    return (pcb->sa >> 3) + LWIP_MAX(pcb->sv, RTO_MIN);
}

/* RFC 6298; sa is 8 times the round trip, sv 4 times its deviation. */
void tcp_rtt_sample(struct tcp_pcb *pcb)
{
    int32_t rtt, off;

    if (pcb->rttest && TCP_SEQ_LT(pcb->rtseq, pcb->lastack)) {
        rtt = (int32_t)LWIP_MIN(sys_now() - pcb->rttest, RTO_MAX);
        off = rtt - (pcb->sa >> 3);
        if (!pcb->sa) {
            pcb->sa = 8 * rtt;
            pcb->sv = 2 * rtt;
        } else {
            pcb->sa += off;
            pcb->sv += LWIP_MAX(off, -off) - (pcb->sv >> 2);
        }
        pcb->rttest = 0;
    }
    pcb->rto = LWIP_MIN(rto_of(pcb), RTO_MAX);
}

/* In how many ms the next probe is due; each waits twice as long. */
static int32_t probe_after(const struct tcp_pcb *pcb)
{
    return LWIP_MAX(2 * (pcb->sa >> 3), PROBE_MIN) << pcb->probes;
}

/* Whether the timer is still that of a probe. */
static bool is_probe(const struct tcp_pcb *pcb)
{
    return pcb->state >= ESTABLISHED && !pcb->nrtx &&
           pcb->probes < PROBES_MAX && probe_after(pcb) < pcb->rto;
}

static uint32_t patience(const struct tcp_pcb *pcb)
{
    return (uint32_t)(is_probe(pcb) ? probe_after(pcb) : pcb->rto);
}

void tcp_rtx_start(struct tcp_pcb *pcb)
{
    pcb->rtime = 0;
    pcb->rtx_since = sys_now();
    net_timers_rtx(patience(pcb));
}

/* The last segment of which the peer says nothing, or NULL. */
static struct tcp_seg **last_missing(struct tcp_pcb *pcb)
{
    struct tcp_seg **found = NULL;

    for (struct tcp_seg **at = &pcb->unacked; *at; at = &(*at)->next)
        if (!is_sacked(*at) && !tcp_output_segment_busy(*at))
            found = at;
    return found;
}

/*
 * Nothing was heard for two round trips. A single segment waits for the
 * timeout: its acknowledgement may be delayed.
 */
static void probe(struct tcp_pcb *pcb)
{
    tcpwnd_size_t cwnd;
    struct tcp_seg *last, **at;

    pcb->probes++;
    if (requeue_lost(pcb, 1)) {
        recover(pcb);
        tcp_output(pcb);
        return;
    }
    at = last_missing(pcb);
    if (!at || !pcb->unacked->next)
        return;
    requeue(pcb, at, &pcb->unsent);
    cwnd = pcb->cwnd;
    pcb->cwnd = tcp_pipe(pcb, &last) + pcb->unsent->len;
    tcp_rtx_start(pcb);
    tcp_output(pcb);
    pcb->cwnd = cwnd;
}

static void time_out(struct tcp_pcb *pcb)
{
    static const uint8_t backoff[] = { 1, 2, 3, 4, 5, 6, 7 };
    uint8_t i = LWIP_MIN(pcb->nrtx, sizeof(backoff) - 1);
    bool again = pcb->flags & TF_RTO;

    if (!pcb->unacked && !pcb->unsent) {
        pcb->rtime = -1;
        return;
    }
    tcp_rtx_start(pcb);
    /* Nothing under way, but something to send: it failed, and is due. */
    if (tcp_rexmit_rto_prepare(pcb) != ERR_OK && pcb->unacked)
        return;
    pcb->rto = LWIP_MIN(rto_of(pcb) << backoff[i], RTO_MAX);
    if (!again)
        halve_ssthresh(pcb);
    pcb->cwnd = pcb->mss;
    pcb->bytes_acked = 0;
    tcp_rexmit_rto_commit(pcb);
    tcp_rtx_start(pcb);
}

u32_t net_rtx_run(void)
{
    u32_t next = SYS_TIMEOUTS_SLEEPTIME_INFINITE;

    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
        u32_t since;

        if (pcb->rtime < 0 || pcb->persist_backoff)
            continue;
        if (sys_now() - pcb->rtx_since >= patience(pcb)) {
            if (is_probe(pcb))
                probe(pcb);
            else
                time_out(pcb);
        }
        since = sys_now() - pcb->rtx_since;
        if (pcb->rtime >= 0)
            next = LWIP_MIN(next,
                            patience(pcb) > since ? patience(pcb) - since : 1);
    }
    return next;
}
