/* Symbolic modes, with chmod(1) as witness. */
#include "fixture.h"

TEST("symbolic modes give what chmod gives")
{
    static const char *const texts[] = {
        "u=rwX,go=rX", "a+x", "a-w",           "u+s",     "g+s",    "+t",    "ug=rw",
        "o=",          "a=r", "u=rwx,g=rx,o=", "a=rwxs",  "go-rwx", "u+r-w", "a+X",
        "a=rX,u+w",    "u=",  "ugo=rwx",       "g+w,o-x", "u=s,g=s"
    };
    static const mode_t modes[] = { 0644, 0755, 0600, 04755, 02750, 01777, 0, 07777 };
    if (system("chmod --version >/dev/null 2>&1"))
        SKIP("needs chmod of GNU coreutils");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t k = 0; k < sizeof modes / sizeof *modes; k++)
            for (int is_folder = 0; is_folder < 2; is_folder++) {
                mode_t got = 0;
                struct stat st = { 0 };
                AUTO_FREE char *path = xasprintf("%s/x", tap_dir());
                RUN("rm -rf x; umask 0; %s x; chmod %o x; chmod %s x",
                    is_folder ? "mkdir" : "touch", modes[k], texts[i]);
                EXPECT(stat(path, &st) == 0);
                EXPECT_OK(mode_apply(texts[i], modes[k], is_folder, &got, &err), &err);
                if (got != (st.st_mode & 07777))
                    tap_fail(__FILE__, __LINE__, "%s of %o (%s) is %o, chmod gives %o", texts[i],
                             modes[k], is_folder ? "folder" : "file", got, st.st_mode & 07777);
            }
}

TEST("what is no mode is refused, naming it")
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "", "mode \"\": + - or = is expected" },
        { "u", "mode \"u\": + - or = is expected" },
        { "u=rwx,", "mode \"u=rwx,\": + - or = is expected" },
        { "z=r", "mode \"z=r\": + - or = is expected" },
        { "u=q", "mode \"u=q\": 'q' is no permission" },
        { "u=rw g=r", "mode \"u=rw g=r\": ' ' is no permission" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mode_t mode;
        err_clear(&err);
        EXPECT_ERR(mode_apply(rows[i].text, 0644, false, &mode, &err), &err, ERR_INVALID);
        EXPECT_STR(err.text, rows[i].want);
    }
}

TAP_MAIN()
