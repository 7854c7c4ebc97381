/*
 * Baselines that one process has alone: calls, system calls, copies.
 */
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "figures.h"

#define PAGE 4096

static struct samples samples;

static __attribute__((noinline)) void empty(void)
{
    __asm__ __volatile__("");
}

static void call(void *arg)
{
    (void)arg;
    empty();
}

static void vdso_clock(void *arg)
{
    struct timespec t;

    (void)arg;
    clock_gettime(CLOCK_MONOTONIC, &t);
}

static void system_call(void *arg)
{
    (void)arg;
    syscall(SYS_getppid);
}

static void write_eventfd(void *fd)
{
    uint64_t one = 1;

    if (write(*(int *)fd, &one, sizeof(one)) < 0)
        return; /* the counter never gets full */
}

static void measure_writes(void)
{
    struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
    int fd = eventfd(0, EFD_NONBLOCK), ep = epoll_create1(EPOLL_CLOEXEC);

    samples_take(&samples, write_eventfd, &fd, 50);
    figure_add_samples("native.eventfd_write", &samples);
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0) {
        samples_take(&samples, write_eventfd, &fd, 50);
        figure_add_samples("native.eventfd_epoll_write", &samples);
    }
    close(ep);
    close(fd);
}

static char from[PAGE] __attribute__((aligned(PAGE)));
static char to[PAGE] __attribute__((aligned(PAGE)));

static void copy_page(void *arg)
{
    (void)arg;
    memcpy(to, from, PAGE);
    __asm__ __volatile__("" ::"r"(to) : "memory"); /* they are needed */
}

static void map_page(void *fd)
{
    volatile char *p =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, *(int *)fd, 0);

    if (p == MAP_FAILED)
        return;
    (void)*p;
    munmap((void *)(uintptr_t)p, PAGE);
}

static void measure_pages(void)
{
    int fd = memfd_create("bench", MFD_CLOEXEC);

    memset(from, 1, PAGE);
    samples_take(&samples, copy_page, NULL, 50);
    figure_add_samples("native.memcpy4k", &samples);
    if (write(fd, from, PAGE) == PAGE) {
        samples_take(&samples, map_page, &fd, 1);
        figure_add_samples("native.mmap_page", &samples);
    }
    close(fd);
}

void native_calls(void)
{
    samples_take(&samples, call, NULL, 1000);
    figure_add_samples("native.call", &samples);
    samples_take(&samples, vdso_clock, NULL, 100);
    figure_add_samples("native.vdso_clock", &samples);
    samples_take(&samples, system_call, NULL, 100);
    figure_add_samples("hypercall.native_syscall", &samples);
    measure_writes();
    measure_pages();
}
