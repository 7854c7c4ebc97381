/*
 * ringside doctor: says beforehand what this machine lacks, with the
 * consequence and the remedy.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "options.h"
#include "say.h"
#include "verbs.h"

static const char *const words[] = { "ok", "weaker", "missing" };
static const char *const colours[] = { "green", "yellow", "red" };

static bool switched_off(const struct check *c)
{
    const char *value = c->off != NULL ? getenv(c->off) : NULL;

    return value != NULL && strcmp(value, "1") == 0;
}

static enum verdict look(const struct check *c, struct finding *f)
{
    *f = (struct finding){ .consequence = NULL };
    if (!switched_off(c))
        return c->look(f);
    snprintf(f->detail, sizeof(f->detail), "switched off by %s=1", c->off);
    return DOCTOR_WEAKER;
}

const char *doctor_first_missing(void)
{
    struct finding f;

    for (size_t i = 0; i < doctor_nr_checks; i++) {
        if (!doctor_checks[i].installation &&
            look(&doctor_checks[i], &f) == DOCTOR_MISSING)
            return doctor_checks[i].name;
    }
    return NULL;
}

static const char *consequence(const struct check *c, const struct finding *f)
{
    return f->consequence != NULL ? f->consequence : c->consequence;
}

static void show(const struct check *c, enum verdict v, const struct finding *f)
{
    printf("  %s%-7s%s  %-22s %s\n", paint(stdout, colours[v]), words[v],
           paint(stdout, "reset"), c->name, f->detail);
    if (v == DOCTOR_OK)
        return;
    printf("           %s%s%s\n", paint(stdout, "dim"), consequence(c, f),
           paint(stdout, "reset"));
    if (c->remedy[0] != '\0')
        printf("           %s%s%s\n", paint(stdout, "dim"), c->remedy,
               paint(stdout, "reset"));
}

static void show_json(const struct check *c, enum verdict v,
                      const struct finding *f)
{
    printf("{\"check\":");
    print_json_string(c->name);
    printf(",\"verdict\":\"%s\",\"detail\":", words[v]);
    print_json_string(f->detail);
    if (v != DOCTOR_OK) {
        printf(",\"consequence\":");
        print_json_string(consequence(c, f));
        printf(",\"remedy\":");
        print_json_string(c->remedy);
    }
    printf("}\n");
}

static int set_json(void *arg, int letter, const char *value)
{
    (void)letter;
    (void)value;
    *(bool *)arg = true;
    return 0;
}

static void conclude(unsigned int weaker, unsigned int missing)
{
    if (missing > 0)
        printf("\nThis machine cannot run guests: %u thing%s missing.\n",
               missing, missing == 1 ? " is" : "s are");
    else if (weaker > 0)
        printf("\nThis machine can run guests; %u thing%s weaker than they "
               "could be.\n",
               weaker, weaker == 1 ? " is" : "s are");
    else
        printf("\nThis machine can run guests, and lacks nothing.\n");
}

int verb_doctor(int argc, char **argv)
{
    static const char *const names[] = { "json" };
    static const struct option_spec spec = {
        .letters = "j",
        .names = names,
        .set = set_json,
    };
    unsigned int count[3] = { 0 };
    bool json = false;
    int rest;

    if (options_parse(argc, argv, &spec, &json, &rest) != 0)
        return EXIT_FAILURE;
    for (size_t i = 0; i < doctor_nr_checks; i++) {
        struct finding f;
        enum verdict v = look(&doctor_checks[i], &f);

        count[v]++;
        if (json)
            show_json(&doctor_checks[i], v, &f);
        else
            show(&doctor_checks[i], v, &f);
    }
    if (!json)
        conclude(count[DOCTOR_WEAKER], count[DOCTOR_MISSING]);
    return count[DOCTOR_MISSING] > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
