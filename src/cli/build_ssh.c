/* cli/build_ssh.c - --ssh of kiln build.  Spec: buildx "--ssh". */
#include <stdlib.h>

#include "base/core/mem.h"
#include "cli/build_flags.h"

int build_take_ssh(struct build_call *c, const char *text, struct err *err)
{
    struct span rest = span_of(text), id = span_cut(&rest, '=');
    if (!id.len || (rest.ptr && !rest.len))
        return err_set(err, ERR_INVALID, "--ssh %s: default or ID[=SOCKET|KEY[,KEY]] is expected",
                       text);
    struct ssh_option o = { .id = build_call_keep(c, id) };
    vec_each (&c->ssh, other)
        if (span_is(id, other->id))
            return err_set(err, ERR_INVALID, "--ssh %s: %s was given before", text, o.id);
    const char **paths = xcalloc(1 + rest.len, sizeof *paths);
    *vec_push(&c->ssh_paths) = paths;
    while (rest.ptr) {
        struct span path = span_cut(&rest, ',');
        if (path.len)
            paths[o.n_paths++] = build_call_keep(c, path);
    }
    o.paths = paths;
    const char *agent = getenv("SSH_AUTH_SOCK");
    if (!o.n_paths && (!agent || !*agent)) {
        err_set(err, ERR_INVALID,
                "--ssh %s: invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set", text);
        return err_hint(err, "or give a key: --ssh %s=FILE", o.id);
    }
    *vec_push(&c->ssh) = o;
    return 0;
}
