/*
 * The commands of CONTROL, for control.c's table and nobody else.
 *
 * Each gets the `n` strings that follow its name, and answers as every handler
 * of a request does (request.h).
 */
#ifndef XS_CONTROL_H
#define XS_CONTROL_H

#include "base/text.h"
#include "request/request.h"

int control_live_update(struct request *rq, int n, const char *arg[]);
int control_log(struct request *rq, int n, const char *arg[]);
int control_logfile(struct request *rq, int n, const char *arg[]);
int control_memreport(struct request *rq, int n, const char *arg[]);
int control_quota(struct request *rq, int n, const char *arg[]);
int control_quota_soft(struct request *rq, int n, const char *arg[]);

#endif
