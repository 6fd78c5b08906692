/* cli/build_ask.c - kiln build --call and --check: questions instead of a build, answered on stdout
 * as buildx does.  A check that found something exits with status 1. */
#include <string.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "build/ask.h"
#include "cli/build_flags.h"

struct call {
    bool is_build, is_json, ignores_status;
    enum build_question question;
};

static bool find_method(struct span name, struct call *out)
{
    static const struct {
        const char *name;
        enum build_question question;
    } methods[] = { { "check", ASK_CHECK },
                    { "lint", ASK_CHECK },
                    { "outline", ASK_OUTLINE },
                    { "targets", ASK_TARGETS } };
    out->is_build = span_is(name, "build");
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (!span_is(name, methods[i].name))
            continue;
        out->question = methods[i].question;
        return true;
    }
    return out->is_build;
}

/* METHOD[,format=text|json][,ignorestatus] */
static int read_call(const struct build_flags *f, struct call *out, struct err *err)
{
    struct span rest = span_of(f->call ? f->call : f->check ? "check" : "build");
    *out = (struct call){ 0 };
    struct span method = span_cut(&rest, ',');
    if (!find_method(method, out))
        return err_set(err, ERR_INVALID, "--call %s: build, check, outline or targets is expected",
                       f->call);
    if (f->check && (out->is_build || out->question != ASK_CHECK))
        return err_set(err, ERR_INVALID, "--check and --call %s ask for two things", f->call);
    while (rest.ptr) {
        struct span option = span_cut(&rest, ','), value = option, key = span_cut(&value, '=');
        if (span_is(option, "format=json"))
            out->is_json = true;
        else if (span_is(key, "ignorestatus") && (!value.ptr || span_is(value, "true")))
            out->ignores_status = true;
        else if (!span_is(option, "format=text") && !span_is(option, "ignorestatus=false"))
            return err_set(err, ERR_INVALID, "--call %s: \"%.*s\" is not understood", f->call,
                           SPAN_ARG(option));
    }
    return 0;
}

int build_call_is_question(const struct build_flags *f, bool *is_question, struct err *err)
{
    struct call call;
    if (read_call(f, &call, err))
        return -1;
    *is_question = !call.is_build;
    return 0;
}

static struct json *answer_json(const struct build_answer *a)
{
    struct span text = buf_span(&a->text);
    if (a->question == ASK_CHECK)
        return dockerfile_report_json(&a->report, text, a->name);
    return a->question == ASK_OUTLINE ? dockerfile_outline_json(&a->outline, text)
                                      : dockerfile_targets_json(&a->targets, text);
}

static void say_text(const struct build_answer *a)
{
    AUTO_VALUE(buf_clear) struct buf out;
    buf_init(&out, SIZE_MAX);
    if (a->question == ASK_CHECK)
        dockerfile_report_print(&a->report, buf_span(&a->text), a->name, &out);
    else if (a->question == ASK_OUTLINE)
        dockerfile_outline_print(&a->outline, &out);
    else
        dockerfile_targets_print(&a->targets, &out);
    if (out.len)
        say("%.*s", (int)(out.len - 1), out.data); /* say() ends the line */
}

static void say_answer(const struct build_answer *a, bool is_json)
{
    AUTO(json_free) struct json *o = is_json ? answer_json(a) : NULL;
    if (o)
        say_json(o);
    else
        say_text(a);
}

static int ask(struct cli *cli, const struct build_flags *f, const struct build_call *c,
               enum build_question question, struct build_answer *out, struct err *err)
{
    AUTO(engine_close) struct engine *e = NULL;
    AUTO(display_close) struct display *display = NULL;
    const char *progress = f->progress ? f->progress : getenv("BUILDKIT_PROGRESS");
    enum display_mode mode = f->quiet ? DISPLAY_QUIET : display_mode_parse(progress);
    bool is_plain = build_ask_is_plain(&c->request);
    if (!(is_plain && question == ASK_TARGETS) && cli_engine(cli, !is_plain, NULL, &e, err))
        return -1;
    if (display_open(mode, question == ASK_CHECK ? "Checking" : "Reading", STDERR_FILENO, &display,
                     err))
        return -1;
    return build_ask(e, &c->request, question, display_sink(display), cli->cancel, out, err);
}

int build_answer_question(struct cli *cli, const struct build_flags *f, const struct build_call *c,
                          struct err *err)
{
    struct call call;
    AUTO_VALUE(build_answer_clear) struct build_answer a = { 0 };
    if (read_call(f, &call, err))
        return -1;
    int status = ask(cli, f, c, call.question, &a, err);
    if (!status) {
        say_answer(&a, call.is_json || cli->wants_json);
        if (a.outline.unknown.kind)
            note("%s\nwhat that image adds is not in the outline", a.outline.unknown.text);
        if (a.report.warnings.n && !call.ignores_status)
            cli->exit_status = 1;
    }
    if (!status && a.report.would_fail) {
        *err = a.report.why;
        status = -1;
    }
    if (status && a.excerpt)
        fputs(a.excerpt, stderr);
    return status;
}
