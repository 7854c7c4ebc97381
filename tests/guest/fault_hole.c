/*
 * A page that was given back is not there any more: it does not come again by
 * being touched.
 * run-guest-expect: 134 guest crash: page fault
 * run-guest-expect: 134 thread main
 */
#include "guest-kernel/pages.h"

int main(void)
{
    char *page = pages_alloc(1);

    page[0] = 1;
    if (pages_give_back(page, 1) == 1)
        page[0] = 2;
    return 0;
}
