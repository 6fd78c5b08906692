/* cli/doctor.c - kiln doctor: what this place permits, and what would make it better. */
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/core/mem.h"
#include "base/sys/user.h"
#include "cli/cli.h"

enum { FINDINGS_MAX = 16 };
#define ROOM_MIN 2000000000ull /* bytes free below which builds of usual size fail */

enum verdict { GOOD, BAD, NOTE };

struct finding {
    enum verdict verdict;
    char *what, *text, *remedy; /* owned; remedy NULL: none */
};

struct findings {
    struct finding items[FINDINGS_MAX];
    size_t n;
};

static void add(struct findings *f, enum verdict verdict, const char *what, char *text,
                const char *remedy)
{
    if (f->n < FINDINGS_MAX)
        f->items[f->n++] = (struct finding){ .verdict = verdict,
                                             .what = xstrdup(what),
                                             .text = text,
                                             .remedy = remedy && *remedy ? xstrdup(remedy) : NULL };
    else
        free(text);
}

static void findings_clear(struct findings *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->items[i].what);
        free(f->items[i].text);
        free(f->items[i].remedy);
    }
}

/* While the process has one thread. */
static void look_at_tiers(struct findings *f)
{
    struct sandbox_report reports[SANDBOX_TIERS];
    bool is_any = false;
    sandbox_probe(reports);
    for (size_t i = 0; i < SANDBOX_TIERS; i++)
        is_any |= reports[i].is_possible;
    for (size_t i = 0; i < SANDBOX_TIERS; i++) {
        AUTO_FREE char *what = xasprintf("sandbox %s", reports[i].tier);
        add(f,
            reports[i].is_possible ? GOOD
            : is_any               ? NOTE
                                   : BAD,
            what, xstrdup(reports[i].text), reports[i].remedy);
    }
}

static void look_at_ids(struct findings *f)
{
    struct id_map ids = { 0 };
    struct err err = { 0 };
    if (id_map_current(&ids, &err))
        add(f, BAD, "ids", xstrdup(err.text), err.hint);
    else if (ids.is_single)
        add(f, NOTE, "ids", xstrdup("one: files of other owners are kept as root's on disk"),
            "give this user ranges in /etc/subuid and /etc/subgid, and install uidmap");
    else
        add(f, GOOD, "ids", xasprintf("0 to %u", ids.n_ids - 1), NULL);
}

static void look_at_room(struct findings *f, const char *path)
{
    struct statvfs fs;
    if (statvfs(path, &fs)) {
        add(f, BAD, "room", xasprintf("%s: %s", path, strerror(errno)), NULL);
        return;
    }
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    char *text = xasprintf("%s free of %s", size_text(room).s,
                           size_text((uint64_t)fs.f_blocks * fs.f_frsize).s);
    add(f, room < ROOM_MIN ? NOTE : GOOD, "room", text,
        room < ROOM_MIN ? "kiln prune, or --root on a larger disk" : NULL);
}

static void look_at_engine(struct findings *f, struct cli *cli)
{
    AUTO(engine_close) struct engine *e = NULL;
    AUTO_FREE char *root = cli->global.root ? xstrdup(cli->global.root) : engine_default_root();
    struct err err = { 0 };
    if (cli_engine(cli, true, NULL, &e, &err)) {
        struct err unused = { 0 };
        add(f, BAD, "engine", xstrdup(err.text), err.hint);
        if (cli_engine(cli, false, NULL, &e, &unused))
            add(f, BAD, "store", xasprintf("%s: cannot be used", root),
                "--root FOLDER, or KILN_ROOT");
        else
            add(f, GOOD, "store", xstrdup(store_path(engine_store(e))), NULL);
        return;
    }
    const char *driver = snapshots_driver(engine_snapshots(e));
    look_at_ids(f);
    add(f, GOOD, "store", xstrdup(store_path(engine_store(e))), NULL);
    look_at_room(f, store_path(engine_store(e)));
    add(f, strcmp(driver, "overlay") ? NOTE : GOOD, "snapshots", xstrdup(driver),
        strcmp(driver, "overlay")
            ? "put the store on a disk of its own (ext4, xfs), not on an overlay"
            : NULL);
}

static void print_json(const struct findings *f, bool is_good)
{
    static const char *const verdicts[] = { [GOOD] = "good", [BAD] = "bad", [NOTE] = "note" };
    AUTO(json_free) struct json *o = json_new_object();
    struct json *list = json_new_array();
    json_set_bool(o, "canBuild", is_good);
    for (size_t i = 0; i < f->n; i++) {
        struct json *one = json_new_object();
        json_set_str(one, "what", f->items[i].what);
        json_set_str(one, "verdict", verdicts[f->items[i].verdict]);
        json_set_str(one, "text", f->items[i].text);
        json_set_str(one, "remedy", f->items[i].remedy);
        json_push(list, one);
    }
    json_set(o, "findings", list);
    say_json(o);
}

static void print_text(const struct findings *f, bool is_good)
{
    static const char *const marks[] = { [GOOD] = "ok  ", [BAD] = "BAD ", [NOTE] = "note" };
    for (size_t i = 0; i < f->n; i++) {
        const struct finding *one = &f->items[i];
        say("%s  %-18s %s", marks[one->verdict], one->what, one->text);
        if (one->remedy)
            say("%26sremedy: %s", "", one->remedy);
    }
    say("%s", is_good ? "Images can be built here." : "Images cannot be built here.");
}

static int run(struct cli *cli, const void *flags, struct err *err)
{
    (void)flags, (void)err;
    struct findings f = { 0 };
    bool is_good = true;
    look_at_tiers(&f);
    look_at_engine(&f, cli);
    for (size_t i = 0; i < f.n; i++)
        is_good &= f.items[i].verdict != BAD;
    if (cli->wants_json)
        print_json(&f, is_good);
    else
        print_text(&f, is_good);
    findings_clear(&f);
    cli->exit_status = is_good ? 0 : 1;
    return 0;
}

const struct command command_doctor = {
    .name = "doctor",
    .args = "",
    .summary = "Tells what this place permits, and what would make it better",
    .about =
        "Tries the ways to run steps (sandbox tiers), the store, its disk and the driver for root\n"
        "file systems.  Exit status 0 when images can be built here.",
    .run = run,
};
