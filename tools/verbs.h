/*
 * The verbs of the command: each takes its own argc and argv (argv[0] is the
 * verb) and returns the exit status.
 */
#ifndef RINGSIDE_TOOLS_VERBS_H
#define RINGSIDE_TOOLS_VERBS_H

#define EXIT_CRASHED   134 /* the guest crashed (as of a process's SIGABRT) */
#define EXIT_DESTROYED 137 /* it was destroyed (as of SIGKILL) */
#define EXIT_CANNOT    77  /* with --engine: this machine cannot run it */

int verb_run(int argc, char **argv);
int verb_create(int argc, char **argv);
int verb_list(int argc, char **argv);
int verb_console(int argc, char **argv);
int verb_destroy(int argc, char **argv);
int verb_shutdown(int argc, char **argv);
int verb_pause(int argc, char **argv);
int verb_unpause(int argc, char **argv);
int verb_vcpu_list(int argc, char **argv);
int verb_vcpu_set(int argc, char **argv);
int verb_vcpu_pin(int argc, char **argv);
int verb_info(int argc, char **argv);
int verb_top(int argc, char **argv);
int verb_stop_host(int argc, char **argv);
int verb_doctor(int argc, char **argv);
int verb_bench(int argc, char **argv); /* bench/verb.c */

#endif
