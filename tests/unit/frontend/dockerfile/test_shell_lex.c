/* tests/unit/frontend/dockerfile/test_shell_lex.c - words, quotes and variables. */
#include "frontend/dockerfile/shell_lex.h"

#include "base/core/buf.h"
#include "base/core/limits.h"
#include "base/core/mem.h"
#include "tap.h"

/* The environment of all rows; UNSET is not in it. */
static const char *env_find(const void *env, const char *name)
{
    static const struct {
        const char *name, *value;
    } vars[] = {
        { "A", "hello" },           { "EMPTY", "" },
        { "TWO", "one two" },       { "PATHS", "/usr/local/bin" },
        { "FILE", "a.tar.gz" },     { "STAR", "a*b*c" },
        { "LINES", "x1\nx2" },      { "UTF8", "h\u00e9llo" },
        { "QUOTED", "it's \"q\"" }, { "NAME", "A" },
        { "1", "first" },           { "@", "all" },
        { "TEXT", "foobarbaz" },    { "_x9", "under" },
        { "BLANKS", "  a  b " },
    };
    (void)env;
    for (size_t i = 0; i < sizeof vars / sizeof *vars; i++)
        if (strcmp(vars[i].name, name) == 0)
            return vars[i].value;
    return NULL;
}

/* The expanded word, or "error: why" with the kind checked; owned by the caller. */
static char *expand(struct shell_lex lex, const char *word)
{
    AUTO(arena_free) struct arena *a = arena_new();
    struct shell_result r;
    struct err err = { 0 };
    lex.find = env_find;
    if (shell_lex_word(&lex, word, a, &r, &err)) {
        EXPECT_INT(err.kind, ERR_INVALID);
        /* Only the reason: the text in front of it is the same for all. */
        const char *why = strstr(err.text, "\": ");
        return xasprintf("error: %s", why ? why + 3 : err.text);
    }
    return xstrdup(r.text);
}

static const struct {
    const char *word, *want;
} plain_rows[] = {
    { "", "" },
    { "plain", "plain" },
    { "two words", "two words" },
    { "$A", "hello" },
    { "x$A", "xhello" },
    { "$A.txt", "hello.txt" },
    { "${A}b", "hellob" },
    { "$A$A", "hellohello" },
    { "$UNSET", "" },
    { "a${UNSET}b", "ab" },
    { "$", "$" },
    { "a$", "a$" },
    { "$/x", "$/x" },
    { "$ A", "$ A" },
    { "$1", "first" },
    { "$1a", "firsta" },
    { "$12", "" },
    { "${1}", "first" },
    { "$@", "all" },
    { "$$", "" },
    { "$?x", "x" },
    { "$_x9-", "under-" },
    /* quotes */
    { "'$A'", "$A" },
    { "\"$A\"", "hello" },
    { "\"'$A'\"", "'hello'" },
    { "'\"'", "\"" },
    { "a'b'c\"d\"", "abcd" },
    { "''", "" },
    { "\"a\\\"b\"", "a\"b" },
    { "\"a\\$A\"", "a$A" },
    { "\"a\\\\b\"", "a\\b" },
    { "\"a\\nb\"", "a\\nb" },
    { "'a\\nb'", "a\\nb" },
    { "$QUOTED", "it's \"q\"" },
    /* escapes */
    { "\\$A", "$A" },
    { "\\${A}", "${A}" },
    { "a\\nb", "anb" },
    { "a\\\\b", "a\\b" },
    { "a\\ b", "a b" },
    { "a\\", "a" },
    { "\\'a\\'", "'a'" },
    { "a<b", "a<b" },
    { "a << b", "a << b" },
    /* modifiers */
    { "${A:-d}", "hello" },
    { "${UNSET:-d}", "d" },
    { "${EMPTY:-d}", "d" },
    { "${EMPTY-d}", "" },
    { "${UNSET-d}", "d" },
    { "${UNSET:-}", "" },
    { "${A:+y}", "y" },
    { "${UNSET:+y}", "" },
    { "${EMPTY:+y}", "" },
    { "${EMPTY+y}", "y" },
    { "${UNSET+y}", "" },
    { "${A:?gone}", "hello" },
    { "${EMPTY?gone}", "" },
    { "${UNSET:-$A}", "hello" },
    { "${UNSET:-${UNSET:-${A}}}", "hello" },
    { "${UNSET:-'${A}'}", "${A}" },
    { "${UNSET:-\"a}b\"}", "a}b" },
    { "${UNSET:-a\\}b}", "a}b" },
    { "${UNSET:-a b}", "a b" },
    { "${UNSET:-:}", ":" },
    { "\"${UNSET:-a b}\"", "a b" },
    { "${A:-${B:-}", "error: syntax error: missing '}'" },
    /* cutting */
    { "${TEXT#f*b}", "arbaz" },
    { "${TEXT##f*b}", "az" },
    { "${TEXT%b*}", "foobar" },
    { "${TEXT%%b*}", "foo" },
    { "${PATHS##*/}", "bin" },
    { "${PATHS#*/}", "usr/local/bin" },
    { "${PATHS%/*}", "/usr/local" },
    { "${PATHS%%/*}", "" },
    { "${FILE%.gz}", "a.tar" },
    { "${FILE%.zip}", "a.tar.gz" },
    { "${FILE%.*}", "a.tar" },
    { "${FILE%%.*}", "a" },
    { "${FILE#?.}", "tar.gz" },
    { "${FILE%??}", "a.tar." },
    { "${STAR#a\\*}", "b*c" },
    { "${STAR%\\**}", "a*b" },
    { "${STAR#a\\?}", "a*b*c" },
    { "${UTF8#h?}", "llo" },
    { "${UTF8%?llo}", "h" },
    { "${UTF8%%*}", "" },
    { "${UNSET#x}", "" },
    { "${A:#h}", "ello" },
    { "${A#}", "hello" },
    { "${A%}", "hello" },
    { "${A#$A}", "" },
    { "${LINES%%*}", "x1\n" },
    { "${LINES##*}", "\nx2" },
    { "${LINES#x1?}", "x1\nx2" },
    /* replacing */
    { "${TEXT/ba/fo}", "fooforbaz" },
    { "${TEXT//ba/fo}", "fooforfoz" },
    { "${TEXT/x/y}", "foobarbaz" },
    { "${TEXT//o/}", "fbarbaz" },
    { "${TEXT/o*b/_}", "f_az" },
    { "${TEXT//b?/$A}", "foohellorhelloz" },
    { "${PATHS//\\//_}", "_usr_local_bin" },
    { "${STAR//\\*/-}", "a-b-c" },
    { "${TEXT/*/x}", "x" },
    { "${TEXT//*/x}", "x" },
    { "${A//l/L}", "heLLo" },
    { "${UTF8//?/x}", "xxxxx" },
    { "${EMPTY/x/y}", "" },
    { "${EMPTY/*/y}", "y" },
    { "${LINES//x?/z}", "z\nz" },
    { "${LINES//*/z}", "z\nz" },
    { "${UNSET/x/y}", "" },
    { "${A//l/${NAME}}", "heAAo" },
    { "${A//lo/p}", "help" },
    { "${A/$EMPTY/ww}", "wwhello" },
    { "${A///}", "hello" },
    { "${A//$EMPTY/-}", "-h-e-l-l-o-" },
    { "${A//l*//}", "he/" },
    { "${PATHS//\\//\\/}", "\\/usr\\/local\\/bin" },
    { "${A#(()[]{\\}^$.\\*\\?|\\\\}", "hello" },
    { "x-$A${NAME:+-${NAME}}.gz", "x-hello-A.gz" },
    { "${A//}", "error: syntax error: missing '/' in ${}" },
    { "${A//ll}", "error: syntax error: missing '/' in ${}" },
    { "${A=x}", "error: unsupported modifier (=) in substitution" },
    { "${A#\\}", "error: syntax error: missing '}'" },
    /* refused */
    { "'a", "error: unexpected end of statement while looking for matching single-quote" },
    { "\"a", "error: unexpected end of statement while looking for matching double-quote" },
    { "\"a\\", "error: unexpected end of statement while looking for matching double-quote" },
    { "${", "error: syntax error: missing '}'" },
    { "${A", "error: syntax error: missing '}'" },
    { "${A:", "error: syntax error: missing '}'" },
    { "${A:-", "error: syntax error: missing '}'" },
    { "${A:-'x}", "error: syntax error: missing '}'" },
    { "${A#x", "error: syntax error: missing '}'" },
    { "${A/x", "error: syntax error: missing '/' in ${}" },
    { "${A/x/y", "error: syntax error: missing '}'" },
    { "${}", "error: syntax error: bad substitution" },
    { "${{A}", "error: syntax error: bad substitution" },
    { "${:-x}", "error: syntax error: bad substitution" },
    { "${A^^}", "error: unsupported modifier (^) in substitution" },
    { "${A:=x}", "error: unsupported modifier (:=) in substitution" },
    { "${A:0:1}", "error: unsupported modifier (:0) in substitution" },
    { "${A\u00e9}", "error: unsupported modifier (\u00e9) in substitution" },
    { "${ A}", "error: unsupported modifier ( ) in substitution" },
    { "${#A}", "error: unsupported modifier (A) in substitution" },
    { "${UNSET:?}", "error: UNSET: is not allowed to be unset" },
    { "${UNSET?}", "error: UNSET: is not allowed to be unset" },
    { "${EMPTY:?}", "error: EMPTY: is not allowed to be empty" },
    { "${UNSET:?give me a value}", "error: UNSET: give me a value" },
    { "${A#\\x}", "error: invalid pattern (\\x) in substitution: invalid escape '\\x'" },
    { "${A/\\x/y}", "error: invalid pattern (\\x) in substitution: invalid escape '\\x'" },
};

TEST("words expand as BuildKit's do")
{
    for (size_t i = 0; i < sizeof plain_rows / sizeof *plain_rows; i++) {
        AUTO_FREE char *got = expand((struct shell_lex){ 0 }, plain_rows[i].word);
        if (strcmp(got, plain_rows[i].want) != 0)
            tap_fail(__FILE__, __LINE__, "%s gives\n%s\nexpected\n%s", plain_rows[i].word, got,
                     plain_rows[i].want);
    }
}

TEST("a backtick escapes where the file says so, and a backslash no more")
{
    static const struct {
        const char *word, *want;
    } rows[] = {
        { "c:\\dir\\$A", "c:\\dir\\hello" },
        { "`$A", "$A" },
        { "\"`\"\"", "\"" },
        { "a``b", "a`b" },
        { "\"`$A`n\"", "$A`n" },
        { "a`", "a" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *got = expand((struct shell_lex){ .escape = '`' }, rows[i].word);
        EXPECT_STR(got, rows[i].want);
    }
}

TEST("in the body of a heredoc quotes are plain characters")
{
    static const struct {
        const char *word, *want;
    } rows[] = {
        { "\"$A\"\n'$A'\n", "\"hello\"\n'hello'\n" },
        { "don't $A\n", "don't hello\n" },
        { "\\$A \\n\n", "$A n\n" },
        { "a <<  b", "a <<  b" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *got = expand((struct shell_lex){ .ignores_quotes = true }, rows[i].word);
        EXPECT_STR(got, rows[i].want);
    }
}

TEST("quotes, escapes and unset variables can stay in the result")
{
    static const struct {
        const char *word, *want;
    } rows[] = {
        { "'a' \"b\" \\c $UNSET $A", "'a' \"b\" \\c $UNSET hello" },
        { "${UNSET}${UNSET:-x}${UNSET:?}", "${UNSET}${UNSET:-x}${UNSET:?}" },
        { "${UNSET#x*}${UNSET%%y}", "${UNSET#x*}${UNSET%%y}" },
        { "${UNSET/x/y}${UNSET//x/y}", "${UNSET/x/y}${UNSET/x/y}" },
        { "\"a\\\"b\"", "\"a\\\"b\"" },
        { "a\\", "a\\" },
        { "${UNSET+x}", "${UNSET+x}" },
    };
    struct shell_lex lex = { .keeps_quotes = true, .keeps_escapes = true, .keeps_unset = true };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *got = expand(lex, rows[i].word);
        EXPECT_STR(got, rows[i].want);
    }
}

/* "[a] [b c]", or the error. */
static char *split(const char *text)
{
    AUTO(arena_free) struct arena *a = arena_new();
    struct shell_lex lex = { .find = env_find };
    struct shell_result r;
    struct err err = { 0 };
    struct buf out;
    buf_init(&out, MIB);
    if (shell_lex_words(&lex, text, a, &r, &err))
        return xstrdup("error");
    for (size_t i = 0; i < r.words.n; i++)
        buf_printf(&out, "%s[%s]", i ? " " : "", r.words.items[i]);
    return out.len ? buf_take(&out) : xstrdup("");
}

TEST("words split at bare blanks, those out of bare variables included")
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "", "" },
        { "  ", "" },
        { "80 443", "[80] [443]" },
        { "  80\t443\n", "[80] [443]" },
        { "$TWO", "[one] [two]" },
        { "\"$TWO\"", "[one two]" },
        { "x${TWO}y", "[xone] [twoy]" },
        { "a\\ b c", "[a b] [c]" },
        { "'a b'c d", "[a bc] [d]" },
        { "$EMPTY a", "[a]" },
        { "'' a", "[a]" },
        { "''", "" },
        { "$BLANKS", "[a] [b]" },
        { "x$BLANKS", "[x] [a] [b]" },
        { "a\u00a0b\u3000c\xc2\x85"
          "d",
          "[a] [b] [c] [d]" },
        { "\u00e9 \u20ac", "[\u00e9] [\u20ac]" },
        { "${UNSET:-80 81}/tcp", "[80] [81/tcp]" },
        { "cat <<  EOF > x", "[cat] [<<  EOF] [>] [x]" },
        { "a < b", "[a] [<] [b]" },
        { "'", "error" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        AUTO_FREE char *got = split(rows[i].text);
        EXPECT_STR(got, rows[i].want);
    }
}

static char *join(const struct strings *l)
{
    struct buf out;
    buf_init(&out, MIB);
    buf_puts(&out, "");
    for (size_t i = 0; i < l->n; i++)
        buf_printf(&out, "%s%s", i ? " " : "", l->items[i]);
    return out.len ? buf_take(&out) : xstrdup("");
}

TEST("the variables used and those missing are told, each once")
{
    AUTO(arena_free) struct arena *a = arena_new();
    struct shell_lex lex = { .find = env_find };
    struct shell_result r;
    struct err err = { 0 };
    REQUIRE_OK(shell_lex_word(&lex, "$A ${B} $A ${C:-$D} '$E' ${F#x} ${G/x/y} ${H:+$I} $B \\$J", a,
                              &r, &err),
               &err);
    AUTO_FREE char *used = join(&r.used), *unset = join(&r.unset);
    EXPECT_STR(used, "A B D C F G I H");
    EXPECT_STR(unset, "B D F G I");
}

TEST("an error tells the whole word and what to write")
{
    AUTO(arena_free) struct arena *a = arena_new();
    struct shell_lex lex = { .find = shell_env_none };
    struct shell_result r;
    struct err err = { 0 };
    EXPECT_ERR(shell_lex_word(&lex, "say \"${A^}\"", a, &r, &err), &err, ERR_INVALID);
    EXPECT_STR(err.text,
               "failed to process \"say \\\"${A^}\\\"\": unsupported modifier (^) in substitution");
    EXPECT_CONTAINS(err.hint, ":-");
}

TEST("a map of strings serves as the environment, and nothing at all does")
{
    AUTO(arena_free) struct arena *a = arena_new();
    struct map vars = STR_MAP;
    map_set_str(&vars, "X", "1");
    struct shell_lex lex = { .find = shell_env_map, .env = &vars };
    struct shell_result r;
    struct err err = { 0 };
    REQUIRE_OK(shell_lex_word(&lex, "$X$Y", a, &r, &err), &err);
    EXPECT_STR(r.text, "1");
    lex = (struct shell_lex){ 0 };
    REQUIRE_OK(shell_lex_word(&lex, "<$X>", a, &r, &err), &err);
    EXPECT_STR(r.text, "<>");
    map_clear(&vars);
}

TEST("${} nested too deep is refused")
{
    AUTO(arena_free) struct arena *a = arena_new();
    struct buf word;
    buf_init(&word, MIB);
    for (int i = 0; i < 1000; i++)
        buf_puts(&word, "${A:-");
    for (int i = 0; i < 1000; i++)
        buf_puts(&word, "}");
    struct shell_lex lex = { 0 };
    struct shell_result r;
    struct err err = { 0 };
    EXPECT_ERR(shell_lex_word(&lex, word.data, a, &r, &err), &err, ERR_LIMIT);
    buf_clear(&word);
}

static const char *long_value;

static const char *find_long(const void *env, const char *name)
{
    (void)env, (void)name;
    return long_value;
}

TEST("a result past the ceiling and a pattern that would take too long are refused")
{
    AUTO(arena_free) struct arena *a = arena_new();
    char *value = xmalloc(5 * MIB + 1);
    memset(value, 'a', 5 * MIB);
    value[5 * MIB] = '\0';
    long_value = value;
    struct shell_lex lex = { .find = find_long };
    struct shell_result r;
    struct err err = { 0 };
    EXPECT_ERR(shell_lex_word(&lex, "$X$X", a, &r, &err), &err, ERR_LIMIT);
    EXPECT_ERR(shell_lex_word(&lex, "${X#*a*a*a*a*a*a*a*a*a*a*a*a*b}", a, &r, &err), &err,
               ERR_LIMIT);
    EXPECT_ERR(shell_lex_word(&lex, "${X%*a*a*a*a*a*a*a*a*a*a*a*a*b}", a, &r, &err), &err,
               ERR_LIMIT);
    EXPECT_ERR(shell_lex_word(&lex, "${X/*a*a*a*a*a*a*a*a*a*a*a*a*b/}", a, &r, &err), &err,
               ERR_LIMIT);
    /* Each match is cheap, all together are not many steps. */
    value[200000] = '\0';
    REQUIRE_OK(shell_lex_word(&lex, "${X//aa/b}", a, &r, &err), &err);
    EXPECT_INT(strlen(r.text), 100000);
    /* Every byte starts a match to the end of its line. */
    for (size_t i = 1; i < 200000; i += 2)
        value[i] = '\n';
    EXPECT_ERR(shell_lex_word(&lex, "${X//a*/b}", a, &r, &err), &err, ERR_LIMIT);
    free(value);
}

TAP_MAIN()
