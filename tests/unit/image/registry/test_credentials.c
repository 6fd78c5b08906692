/* config.json in all its forms, and the helpers it names. */
#include "script.h"

#include <sys/stat.h>

#include "image/registry/credentials.h"

static struct credential found;

/* "user:password", "token:IDENTITY", "-", or the kind of the failure. */
static char *find(const char *text, const char *registry, const char *repository)
{
    AUTO_FREE char *file = write_text("config.json", text);
    err_clear(&err);
    credential_clear(&found);
    if (credential_find(file, registry, repository, &found, NULL, &err)) {
        expect_no_secret("the error", err.text);
        return xstrdup(err_kind_name(err.kind));
    }
    if (found.identity_token)
        return xasprintf("token:%s", found.identity_token);
    return found.user ? xasprintf("%s:%s", found.user, found.password) : xstrdup("-");
}

#define AUTH(key, plain) "{\"auths\":{\"" key "\":{\"auth\":\"" plain "\"}}}"
#define A_B "YTpi" /* a:b */

TEST("entries are found by host, by docker's URLs, and by the longest namespace")
{
    static const struct {
        const char *text, *registry, *repository, *want;
    } rows[] = {
        { AUTH("reg.example", A_B), "reg.example", "lib/app", "a:b" },
        { AUTH("reg.example", A_B), "reg.example:5000", "lib/app", "-" },
        { AUTH("reg.example:5000", A_B), "reg.example:5000", "lib/app", "a:b" },
        { AUTH("https://reg.example", A_B), "reg.example", "lib/app", "a:b" },
        { AUTH("https://reg.example/", A_B), "reg.example", "lib/app", "a:b" },
        { AUTH("https://reg.example/v2/", A_B), "reg.example", "lib/app", "a:b" },
        { AUTH("http://reg.example/v1/", A_B), "reg.example", "lib/app", "a:b" },
        { AUTH("https://index.docker.io/v1/", A_B), "docker.io", "library/alpine", "a:b" },
        { AUTH("docker.io", A_B), "docker.io", "library/alpine", "a:b" },
        { AUTH("registry-1.docker.io", A_B), "docker.io", "library/alpine", "a:b" },
        { AUTH("reg.example/lib", A_B), "reg.example", "lib/app", "a:b" },
        { AUTH("reg.example/lib/app", A_B), "reg.example", "lib/app", "a:b" },
        { AUTH("reg.example/li", A_B), "reg.example", "lib/app", "-" },
        { AUTH("reg.example/lib/app/more", A_B), "reg.example", "lib/app", "-" },
        { AUTH("reg.example.evil", A_B), "reg.example", "lib/app", "-" },
        { "{\"auths\":{\"reg.example\":{\"auth\":\"" A_B "\"},\"reg.example/lib\":{\"auth\":"
          "\"Yzpk\"}}}",
          "reg.example", "lib/app", "c:d" },
        { "{\"auths\":{\"reg.example\":{\"username\":\"u\",\"password\":\"p\"}}}", "reg.example",
          "x", "u:p" },
        { "{\"auths\":{\"reg.example\":{\"auth\":\"" A_B "\",\"identitytoken\":\"idt\"}}}",
          "reg.example", "x", "token:idt" },
        { AUTH("reg.example", "YTpiOmM="), "reg.example", "x", "a:b:c" }, /* a:b:c */
        { "{\"auths\":{\"reg.example\":{}}}", "reg.example", "x", "-" },
        { "{}", "reg.example", "x", "-" },
        { "", "reg.example", "x", "-" },
        { "{\"auths\":[]}", "reg.example", "x", "-" },
        { "{", "reg.example", "x", "invalid" },
        { AUTH("reg.example", "%%%"), "reg.example", "x", "invalid" },
        { AUTH("reg.example", "bm9jb2xvbg=="), "reg.example", "x", "invalid" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO_FREE char *got = find(rows[i].text, rows[i].registry, rows[i].repository);
        if (strcmp(got, rows[i].want) != 0)
            tap_fail(__FILE__, __LINE__, "row %zu gives %s, expected %s", i, got, rows[i].want);
    }
    credential_clear(&found);
}

TEST("a file that does not exist holds nobody; one that cannot be read is an error")
{
    AUTO_FREE char *absent = in_dir("absent/config.json");
    EXPECT_OK(credential_find(absent, "reg.example", "x", &found, NULL, &err), &err);
    EXPECT(!found.user);
    EXPECT_STR(found.origin, absent);
    credential_clear(&found);
    EXPECT(credential_find(tap_dir(), "reg.example", "x", &found, NULL, &err) != 0);
    EXPECT_CONTAINS(err.text, "read credentials");
    err_clear(&err);
}

TEST("errors say where, and never what")
{
    AUTO_FREE char *got =
        find("{\"auths\":{\"reg.example\":{\"auth\":\"" SECRET "\"}}}", "reg.example", "x");
    EXPECT_STR(got, "invalid");
    EXPECT_CONTAINS(err.text, "config.json: reg.example: the field \"auth\" is not");
    AUTO_FREE char *cut =
        find("{\"auths\":{\"reg.example\":{\"auth\":\"" SECRET_BASIC "\"", "reg.example", "x");
    EXPECT_STR(cut, "invalid");
    EXPECT_CONTAINS(err.text, "config.json");
    err_clear(&err);
}

/* ---- helpers ---- */

/* Answers for reg.example and docker.io, keeps what it is told to store, fails for others. */
static const char helper_text[] =
    "#!/bin/sh\n"
    "dir=$(dirname \"$0\")\n"
    "case $1 in\n"
    "get) read server; case $server in\n"
    "  reg.example) echo '{\"ServerURL\":\"x\",\"Username\":\"" USER "\",\"Secret\":\"" SECRET
    "\"}';;\n"
    "  https://index.docker.io/v1/) echo '{\"Username\":\"<token>\",\"Secret\":\"" IDENTITY
    "\"}';;\n"
    "  absent.example) echo 'credentials not found in native keychain'; exit 1;;\n"
    "  broken.example) echo '{\"Username\": " SECRET "';;\n"
    "  *) echo 'the keychain is locked'; exit 1;; esac;;\n"
    "store) cat >\"$dir/stored\";;\n"
    "erase) cat >\"$dir/erased\";;\n"
    "esac\n";

static void install_helper(void)
{
    AUTO_FREE char *path = write_text("docker-credential-test", helper_text);
    AUTO_FREE char *search = xasprintf("%s:/usr/bin:/bin", tap_dir());
    if (chmod(path, 0700) || setenv("PATH", search, 1))
        abort();
}

TEST("helpers are asked: credHelpers for their host, credsStore for all others")
{
    static const struct {
        const char *text, *registry, *want;
    } rows[] = {
        { "{\"credHelpers\":{\"reg.example\":\"test\"}}", "reg.example", USER ":" SECRET },
        { "{\"credHelpers\":{\"reg.example\":\"test\"}}", "other.example", "-" },
        { "{\"credsStore\":\"test\"}", "reg.example", USER ":" SECRET },
        { "{\"credsStore\":\"test\"}", "docker.io", "token:" IDENTITY },
        { "{\"credsStore\":\"test\"}", "absent.example", "-" },
        { "{\"credsStore\":\"test\",\"auths\":{\"reg.example\":{}}}", "reg.example",
          USER ":" SECRET },
        { "{\"credsStore\":\"test\",\"auths\":{\"reg.example\":{\"auth\":\"" A_B "\"}}}",
          "reg.example", "a:b" },
        { "{\"credHelpers\":{\"reg.example\":\"test\"},\"auths\":{\"reg.example\":{\"auth\":"
          "\"" A_B "\"}}}",
          "reg.example", USER ":" SECRET },
        { "{\"credsStore\":\"test\"}", "locked.example", "denied" },
        { "{\"credsStore\":\"test\"}", "broken.example", "invalid" },
        { "{\"credsStore\":\"absent-helper\"}", "reg.example", "not found" },
        { "{\"credsStore\":\"../test\"}", "reg.example", "invalid" },
    };
    install_helper();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AUTO_FREE char *got = find(rows[i].text, rows[i].registry, "lib/app");
        if (strcmp(got, rows[i].want) != 0)
            tap_fail(__FILE__, __LINE__, "row %zu gives %s, expected %s (%s)", i, got, rows[i].want,
                     err.text);
    }
    credential_clear(&found);
    AUTO_FREE char *locked = find("{\"credsStore\":\"test\"}", "locked.example", "x");
    EXPECT_STR(err.text, "credential helper docker-credential-test get: the keychain is locked");
    AUTO_FREE char *absent = find("{\"credsStore\":\"absent-helper\"}", "reg.example", "x");
    EXPECT_CONTAINS(err.text, "docker-credential-absent-helper");
    EXPECT_STR(err.hint, "install docker-credential-absent-helper or put it into PATH");
    err_clear(&err);
}

TEST("a helper keeps and forgets instead of the file")
{
    install_helper();
    AUTO_FREE char *file = write_text("config.json", "{\"credsStore\":\"test\"}");
    AUTO_FREE char *stored = in_dir("stored");
    AUTO_FREE char *erased = in_dir("erased");
    struct credential c = { .user = (char[]){ USER }, .password = (char[]){ SECRET } };
    EXPECT_OK(credential_store(file, "docker.io", &c, &err), &err);
    AUTO_FREE char *got = read_text(stored);
    EXPECT_STR(got, "{\"ServerURL\":\"https://index.docker.io/v1/\",\"Username\":\"" USER
                    "\",\"Secret\":\"" SECRET "\"}");
    AUTO_FREE char *text = read_text(file);
    EXPECT_STR(text, "{\"credsStore\":\"test\"}");
    bool was_there = false;
    EXPECT_OK(credential_erase(file, "docker.io", &was_there, &err), &err);
    EXPECT(was_there);
    AUTO_FREE char *gone = read_text(erased);
    EXPECT_STR(gone, "https://index.docker.io/v1/");
}

TEST("what is written is found again, whatever it is, and the rest of the file stays")
{
    AUTO_FREE char *file =
        write_text("config.json", "{\"other\":1,\"auths\":{\"https://reg.example/"
                                  "v2/\":{\"auth\":\"" A_B "\"}}}");
    struct credential c = { .user = (char[]){ "u" }, .password = (char[]){ "p:\xc3\xa4 \"" } };
    EXPECT_OK(credential_store(file, "reg.example", &c, &err), &err);
    EXPECT_OK(credential_find(file, "reg.example", "x", &found, NULL, &err), &err);
    EXPECT_STR(found.user, "u");
    EXPECT_STR(found.password, "p:\xc3\xa4 \"");
    credential_clear(&found);
    AUTO_FREE char *text = read_text(file);
    EXPECT_CONTAINS(text, "\"other\": 1");
    EXPECT_CONTAINS(text, "https://reg.example/v2/");
    struct credential t = { .identity_token = (char[]){ IDENTITY } };
    EXPECT_OK(credential_store(file, "docker.io", &t, &err), &err);
    EXPECT_OK(credential_find(file, "docker.io", "x", &found, NULL, &err), &err);
    EXPECT_STR(found.identity_token, IDENTITY);
    credential_clear(&found);
}

TEST("skopeo reads what we write, and we what skopeo writes")
{
    if (access("/usr/bin/skopeo", X_OK) != 0)
        SKIP("needs skopeo");
    AUTO_FREE char *file = in_dir("auth.json");
    struct credential c = { .user = (char[]){ USER }, .password = (char[]){ SECRET } };
    EXPECT_OK(credential_store(file, "reg.example", &c, &err), &err);
    AUTO_FREE char *command = xasprintf(
        "/usr/bin/skopeo login --authfile %s --get-login reg.example >%s/who", file, tap_dir());
    EXPECT_INT(system(command), 0);
    AUTO_FREE char *who_path = in_dir("who");
    AUTO_FREE char *who = read_text(who_path);
    EXPECT_STR(who, USER "\n");
}

TEST("the file is the one chosen, else the environment's, else docker's")
{
    AUTO_FREE char *home = in_dir("home");
    AUTO_FREE char *runtime = in_dir("run");
    AUTO_FREE char *docker = xasprintf("%s/.docker/config.json", home);
    unsetenv("REGISTRY_AUTH_FILE");
    unsetenv("DOCKER_CONFIG");
    setenv("HOME", home, 1);
    setenv("XDG_RUNTIME_DIR", runtime, 1);
    AUTO_FREE char *by_default = credentials_file(NULL);
    EXPECT_STR(by_default, docker);
    AUTO_FREE char *command =
        xasprintf("mkdir -p %s/containers && : >%s/containers/auth.json", runtime, runtime);
    AUTO_FREE char *containers = xasprintf("%s/containers/auth.json", runtime);
    EXPECT_INT(system(command), 0);
    AUTO_FREE char *theirs = credentials_file("");
    EXPECT_STR(theirs, containers);
    setenv("DOCKER_CONFIG", "/d", 1);
    AUTO_FREE char *configured = credentials_file(NULL);
    EXPECT_STR(configured, "/d/config.json");
    setenv("REGISTRY_AUTH_FILE", "/r/auth.json", 1);
    AUTO_FREE char *named = credentials_file(NULL);
    EXPECT_STR(named, "/r/auth.json");
    AUTO_FREE char *chosen = credentials_file("/c/auth.json");
    EXPECT_STR(chosen, "/c/auth.json");
    unsetenv("REGISTRY_AUTH_FILE");
    unsetenv("DOCKER_CONFIG");
    unsetenv("XDG_RUNTIME_DIR");
}

TAP_MAIN()
