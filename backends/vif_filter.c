/* The antispoof check of netback; see vif_filter.h. */
#include <string.h>

#include "vif_filter.h"

#define ETHER_HEADER 14
#define ETHER_IPV4   0x0800
#define ETHER_ARP    0x0806
#define ETHER_VLAN   0x8100
#define ETHER_QINQ   0x88a8
#define VLAN_TAGS    2 /* that we look behind */

#define ARP_LENGTH  28
#define IPV4_HEADER 20
#define UDP         17

static unsigned int get16(const uint8_t *p)
{
    return (unsigned int)p[0] << 8 | p[1];
}

/* The sender of an ARP packet, and its address unless it only asks whether it
 * may have one (RFC 5227). */
static bool arp_passes(const struct vif_filter *filter, const uint8_t *arp,
                       size_t len)
{
    static const uint8_t ethernet_ipv4[] = { 0, 1, 8, 0, 6, 4 };
    static const uint8_t none[4];

    if (len < ARP_LENGTH || memcmp(arp, ethernet_ipv4, sizeof(ethernet_ipv4)) ||
        memcmp(arp + 8, filter->mac, 6) != 0)
        return false;
    return !filter->check_ip || memcmp(arp + 14, &filter->ip, 4) == 0 ||
           memcmp(arp + 14, none, 4) == 0;
}

/* From nowhere, from port 68 to port 67 of everybody. */
static bool is_dhcp(const uint8_t *ip, size_t len)
{
    static const uint8_t addresses[8] = { 0, 0, 0, 0, 255, 255, 255, 255 };
    size_t header = (ip[0] & 15) * 4u;

    return memcmp(ip + 12, addresses, 8) == 0 && ip[9] == UDP &&
           (get16(ip + 6) & 0x3fff) == 0 && header >= IPV4_HEADER &&
           len >= header + 8 && get16(ip + header) == 68 &&
           get16(ip + header + 2) == 67;
}

static bool ip_passes(const struct vif_filter *filter, const uint8_t *ip,
                      size_t len)
{
    if (len < IPV4_HEADER || ip[0] >> 4 != 4)
        return false;
    return memcmp(ip + 12, &filter->ip, 4) == 0 || is_dhcp(ip, len);
}

static bool is_vlan(unsigned int type)
{
    return type == ETHER_VLAN || type == ETHER_QINQ;
}

bool vif_filter_passes(const struct vif_filter *filter, const void *frame,
                       size_t len)
{
    const uint8_t *p = frame;
    size_t at = ETHER_HEADER;
    unsigned int type;

    if (!filter->check_mac)
        return true;
    if (len < ETHER_HEADER || memcmp(p + 6, filter->mac, 6) != 0)
        return false;
    type = get16(p + 12);
    for (int tags = 0; is_vlan(type); tags++) {
        if (tags == VLAN_TAGS || len < at + 4)
            return false;
        type = get16(p + at + 2);
        at += 4;
    }
    if (type == ETHER_ARP)
        return arp_passes(filter, p + at, len - at);
    if (!filter->check_ip)
        return true;
    return type == ETHER_IPV4 && ip_passes(filter, p + at, len - at);
}
